"""Checks that images exist, have the right size and orientation, and can be decoded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from refseg.data.images import image_exists, read_image, read_orientation
from refseg.data.references import References
from refseg.data.verification.findings import Finding
from refseg.errors import DataError
from refseg.progress import tracked


class ListedImage(NamedTuple):
    """An image as the annotations have it; sizes in pixels."""

    image_id: int
    path: Path
    height: int
    width: int


def listed_images(references: References) -> list[ListedImage]:
    """Each image that an expression asks about, once."""
    groups = references.images()
    table = references.table.take(groups.rows[groups.offsets[:-1]])
    columns = [table[name].to_pylist() for name in ("image_id", "image_path", "height", "width")]
    return [
        ListedImage(number, Path(path), height, width)
        for number, path, height, width in zip(*columns, strict=True)
    ]


def check_image(listed: ListedImage, pixels: bool = True) -> list[Finding]:
    """Check an image file; returns what is wrong or unclear.

    Args:
        listed: the image as the annotations have it.
        pixels: decode the whole image rather than its header only.
    """
    record = f"image {listed.image_id}, {listed.path.name}"
    try:
        if not image_exists(listed.path):
            return [Finding("image absent", record, f"Expected the file {listed.path}.")]
        orientation = read_orientation(listed.path)
        if not orientation.fits((listed.height, listed.width)):
            message = (
                f"Expected {listed.width} × {listed.height} pixels as the annotations say, found "
                f"{orientation.width} × {orientation.height}."
            )
            return [Finding("image size", record, message)]
        if pixels:
            read_image(listed.path)
    except DataError as error:
        return [Finding("image unreadable", record, str(error))]
    if not orientation.is_ambiguous:
        return []
    return [Finding("orientation", record, f"EXIF orientation {orientation.number}.")]


def check_images(
    images: list[ListedImage], pixels: bool = True, jobs: int = 1, progress: bool = False
) -> list[Finding]:
    """Check image files in their order; returns what is wrong or unclear.

    Threads share the work: nearly all of it is done in the decoder, which lets others run.

    Args:
        images: as `listed_images` gives them.
        pixels: decode whole images rather than their headers only.
        jobs: number of threads.
        progress: say how far it is, as `tracked` does.
    """
    what = "Decoding images" if pixels else "Reading image headers"
    steps = tracked(_in_threads(images, pixels, jobs), what, len(images), shown=progress)
    return [finding for findings in steps for finding in findings]


def _in_threads(images: list[ListedImage], pixels: bool, jobs: int) -> Iterator[list[Finding]]:
    executor = ThreadPoolExecutor(max_workers=jobs)
    try:
        yield from executor.map(partial(check_image, pixels=pixels), images)
    finally:
        executor.shutdown(cancel_futures=True)  # after Ctrl-C, do not work off what is waiting
