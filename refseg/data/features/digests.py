"""Identifies images by the SHA-256 of the bytes of their file and by their orientation."""

import os
import time
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image

from refseg.data.containers import find_member
from refseg.data.image_formats import open_image
from refseg.data.images import read_encoded
from refseg.data.orientation import Orientation, Size, orientation_of
from refseg.files import replacing
from refseg.progress import tracked

_FRESH = 2 * 10**9
"""Nanoseconds within which a file can change twice without its time showing it."""
_MANY = 500


class ImageDigest(NamedTuple):
    """The digest of an image file's bytes, with its orientation.

    Args:
        sha256: of its bytes.
        orientation: how it is stored, and how it is meant to be seen.
    """

    sha256: bytes
    orientation: Orientation

    def as_read(self, size: Size) -> bytes:
        """The digest of the picture as `read_image` gives it, which depends on its orientation.

        Args:
            size: height and width that the annotations say, pixels.
        """
        if self.orientation.number == 1 or not self.orientation.is_upright(size):
            return self.sha256
        return sha256(self.sha256 + b" upright").digest()


def mirrored(digest: bytes) -> bytes:
    """The digest of a picture's mirror image.

    Args:
        digest: of the picture as it is read.
    """
    return sha256(digest + b" mirrored").digest()


def digest_of(content: bytes) -> ImageDigest:
    """The digest of a file's bytes, whether it is an image or not."""
    try:
        with open_image(BytesIO(content)) as image:
            orientation = orientation_of(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        orientation = Orientation(1, 0, 0)
    return ImageDigest(sha256(content).digest(), orientation)


class ImageDigests:
    """Digests of images by path; each file is read once.

    A digest is remembered together with the size and the time of the file (or of the zip file that
    it lies in). As long as these stay, so does the digest.

    Args:
        memory: a Parquet file to remember digests in; it may be absent. A damaged one is ignored.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     image = Path(folder, "image.png")
        ...     _ = image.write_bytes(b"")
        ...     ImageDigests(Path(folder, "digests.parquet")).of(str(image)).sha256.hex()[:8]
        'e3b0c442'
    """

    def __init__(self, memory: Path) -> None:
        self.memory = memory
        self._known: dict[str, tuple[int, int, ImageDigest]] = {}
        try:
            columns = pq.read_table(memory).to_pydict()
            turned = (Orientation(*row) for row in columns["orientation"])
            digests = map(ImageDigest, columns["sha256"], turned)
            rows = zip(columns["size"], columns["modified"], digests, strict=True)
            self._known = dict(zip(columns["path"], rows, strict=True))
        except (OSError, ValueError, TypeError, KeyError, pa.ArrowException):
            pass  # it only spares some reading

    def known(self, path: str) -> ImageDigest | None:
        """The known digest of an image whose file has not changed since, else None.

        Args:
            path: as in `read_image`.
        """
        found = self._known.get(path)
        state = _state(path) if found else None
        return found[2] if found and state == found[:2] else None

    def of(self, path: str) -> ImageDigest:
        """The digest of an image.

        Args:
            path: as in `read_image`.

        Raises:
            DataError: the file is missing or cannot be read.
        """
        return self.known(path) or self.tell(path, digest_of(read_encoded(path)))

    def tell(self, path: str, digest: ImageDigest) -> ImageDigest:
        """Store the digest of bytes that were just read from an image's file, and return it.

        Args:
            path: as in `read_image`.
            digest: of its bytes.
        """
        state = _state(path)
        if state is not None and time.time_ns() - state[1] > _FRESH:
            self._known[path] = *state, digest
        return digest

    def of_all(
        self, paths: Sequence[str], sizes: Sequence[Size]
    ) -> UInt8[np.ndarray, " images 32"]:
        """The digests of many images, with a progress message.

        Args:
            paths: as in `read_image`.
            sizes: of each, as in `read_image`.

        Raises:
            DataError: a file is missing or cannot be read.
        """
        told = [self.known(path) for path in paths]
        unknown = [path for path, digest in zip(paths, told, strict=True) if digest is None]
        steps = tracked(unknown, "Telling images by content", shown=len(unknown) >= _MANY)
        read = {path: self.of(path) for path in steps}
        digests = [
            (digest or read[path]).as_read(size)
            for path, size, digest in zip(paths, sizes, told, strict=True)
        ]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(len(paths), 32)

    def save(self) -> None:
        """Write the known digests to disk."""
        rows = self._known.values()
        table = pa.table(
            {
                "path": pa.array([*self._known], pa.string()),
                "size": pa.array([row[0] for row in rows], pa.int64()),
                "modified": pa.array([row[1] for row in rows], pa.int64()),
                "sha256": pa.array([row[2].sha256 for row in rows], pa.binary(32)),
                "orientation": pa.array(
                    [row[2].orientation for row in rows], pa.list_(pa.int32(), 3)
                ),
            }
        )
        with replacing(self.memory) as temporary:
            pq.write_table(table, temporary)


def _state(path: str) -> tuple[int, int] | None:
    """Size and time of an image's file or of its zip file; None if there is no such file."""
    member = find_member(Path(path))
    try:
        status = os.stat(path if member is None else member.archive)  # noqa: PTH116  # a third of the time of Path.stat
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
