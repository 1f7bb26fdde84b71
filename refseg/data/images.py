"""Image files, in folders, in zip files and in shards, read as RGB."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from refseg.data.image_formats import UnknownFormatError, open_image
from refseg.data.orientation import Orientation, Size, orientation_of, oriented
from refseg.data.pixels import rgb_of
from refseg.errors import DataError


def read_image(path: Path | str, size: Size | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image file as RGB, 0–255, whatever it is stored as (grey, palette, CMYK, alpha, …).

    Args:
        path: any format that Pillow reads. It may run through a zip file, which is not unpacked:
            `train2014.zip/train2014/COCO_train2014_000000000009.jpg`; or through a shard that
            `refseg data shards` wrote, which may lie at an address:
            `https://host/train-000000.tar/000012/cat.jpg`.
        size: height and width that the annotations say. The picture is turned upright, as its EXIF
            orientation says, unless this is the size as stored and not the upright one
            (`Orientation`): then the annotations were made on the stored pixels.

    Raises:
        DataError: the file is missing, is no image or one of an unknown kind, or is cut short.
    """
    with _readable(path), open_image(in_memory(_source(path))) as image:
        return rgb_of(oriented(image, size), f"The image {path}")


def read_orientation(path: Path | str) -> Orientation:
    """How an image is stored and how it is meant to be seen, from its header alone.

    Args:
        path: as in `read_image`.

    Raises:
        DataError: the file is missing, or is no image.
    """
    with _readable(path), open_image(_source(path)) as image:
        return orientation_of(image)


def image_size(path: Path | str) -> Size:
    """Height and width of an image as it is seen (upright), pixels, from its header alone.

    Args:
        path: as in `read_image`.

    Raises:
        DataError: the file is missing, or is no image.
    """
    return read_orientation(path).upright


def image_exists(path: Path | str) -> bool:
    """Whether there is a file, in its folder, in its zip file or in its shard.

    Args:
        path: as in `read_image`.

    Raises:
        DataError: the path runs through a zip file or a shard that is damaged.
    """
    if _may_lie_in_shard(path):
        from refseg.data.streaming import members

        if members.runs_through_shard(str(path)):
            return members.has_member(str(path))
    if _may_lie_in_zip(path):
        from refseg.data.containers import find_member, has_member

        member = find_member(Path(path))
        if member is not None:
            return has_member(member)
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises where a name is too long


def read_encoded(path: Path | str) -> bytes:
    """The bytes of an image file as they are stored.

    Args:
        path: as in `read_image`.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    with _readable(path):
        source = _source(path)
        return source.read_bytes() if isinstance(source, Path) else source.read()


def in_memory(source: Path | BytesIO) -> BytesIO:
    """The bytes of an image in memory, from which its pixels are read.

    From a file, Pillow would reserve as much memory as a damaged PNG claims to have.

    Args:
        source: a file, or its bytes in memory.
    """
    return BytesIO(source.read_bytes()) if isinstance(source, Path) else source


def _source(path: Path | str) -> Path | BytesIO:
    """The path of an image file; for an image in an archive, its bytes in memory."""
    if _may_lie_in_shard(path):
        from refseg.data.streaming import members

        if members.runs_through_shard(str(path)):
            return BytesIO(members.read_member(str(path)))
    if _may_lie_in_zip(path):
        from refseg.data.containers import find_member, read_member

        member = find_member(Path(path))
        if member is not None:
            return BytesIO(read_member(member))
    return Path(path)


def _may_lie_in_shard(path: Path | str) -> bool:
    """Whether to import what reads shards, and fsspec with it: most images need neither."""
    return ".tar/" in str(path)


def _may_lie_in_zip(path: Path | str) -> bool:
    return ".zip" in str(path).lower()


@contextmanager
def _readable(path: Path | str) -> Iterator[None]:
    """Turns every error while an image is read into a `DataError`."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"The image {path} is absent; put it there, or correct the path.") from None
    except UnknownFormatError as error:
        raise DataError(f"Cannot read the image {path}: {error}.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"Cannot read the image {path} ({error}); it may have been cut short: download or copy "
            "it again."
        ) from None
