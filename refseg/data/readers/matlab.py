"""Reads masks from MATLAB files without trusting the sizes that a broken file claims.

Unlike scipy, whose reader believes the tags of a file: a damaged one ends it with a segmentation
fault, and a small compressed one can claim gigabytes. Only arrays of numbers are read, which takes
a page. The format is described in MathWorks, MAT-File Format (version 5).
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from refseg.errors import DataError

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"} | {
    12: "i8",
    13: "u8",
}
"""The types in which numbers are stored, which may be narrower than those of the variable."""

_NUMERIC_CLASSES = range(6, 16)


class _Matrix(NamedTuple):
    name: str
    shape: tuple[int, ...]
    numbers: np.ndarray | None  # None where it is no array of real numbers


def read_mat_mask(
    path: Path, variable: str, height: int, width: int, record: str
) -> Shaped[np.ndarray, "{height} {width}"]:
    """Read one variable of a MATLAB file (version 5 to 7) that has the size of an image.

    Args:
        path: the `.mat` file.
        variable: its name.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record that need the mask, for messages.

    Raises:
        DataError: the file is missing or broken, lacks the variable, or has it in another size.
    """
    limit = 8 * height * width + 2**16  # a double for each pixel, and names
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"{record}: cannot read {path} ({error.strerror or error}).") from None
    try:
        matrices = {matrix.name: matrix for matrix in _matrices(content, limit)}
    except (ValueError, struct.error, zlib.error) as error:
        raise DataError(
            f"{record}: {path} is not a complete MATLAB file of version 5 to 7 ({error}); download "
            "or unpack it again."
        ) from None
    found = matrices.get(variable)
    if found is None:
        raise DataError(
            f"{record}: expected the variable '{variable}' in {path}, got "
            f"{', '.join(map(repr, matrices))[:100] or 'none'}."
        )
    if found.numbers is None or found.shape != (height, width):
        raise DataError(
            f"{record}: expected '{variable}' in {path} to have {height} × {width} numbers (rows × "
            f"columns), got {' × '.join(map(str, found.shape[:4]))}"
            f"{' of another kind' if found.numbers is None else ''}."
        )
    return found.numbers.reshape(found.shape, order="F")


def _matrices(content: bytes, limit: int) -> Iterator[_Matrix]:
    """The variables of a file, of which at most `limit` bytes are unpacked."""
    if len(content) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
    if order is None:
        raise ValueError("it does not begin like one")
    for kind, data in _elements(content[_HEADER:], order, padding=1):
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(data, limit + 1)
            if len(unpacked) > limit:
                raise ValueError(f"it unpacks to more than {limit} bytes")
            kind, data = next(_elements(unpacked, order), (0, b""))  # what is inside
        if kind == _MATRIX:
            yield _matrix(data, order)


def _matrix(data: bytes, order: str) -> _Matrix:
    parts = _elements(data, order)
    (_, flags), (_, sizes), (_, name) = (next(parts, (0, b"")) for _ in range(3))
    (flag,) = struct.unpack_from(f"{order}I", flags)
    shape = tuple(np.frombuffer(sizes, f"{order}i4").tolist())
    numbers = None
    if flag & 0xFF in _NUMERIC_CLASSES and not flag & 0x800:  # no imaginary part
        kind, values = next(parts, (0, b""))
        if kind not in _TYPES:
            raise ValueError(f"there are no numbers of type {kind}")
        numbers = np.frombuffer(values, order + _TYPES[kind])
        if min(shape, default=0) < 0 or len(numbers) != np.prod([float(size) for size in shape]):
            raise ValueError(f"{len(numbers)} numbers do not fill the shape {shape[:4]}")
    return _Matrix(name.decode("latin1"), shape, numbers)


def _elements(data: bytes, order: str, padding: int = 8) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element; one of up to 4 bytes may have both in a single tag."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from(f"{order}II", data, at)
        start, following = at + 8, at + 8 + -(-length // padding) * padding
        if kind >> 16:
            kind, length = kind & 0xFFFF, kind >> 16
            start, following = at + 4, at + 8
            if length > 4:
                raise ValueError("an element is longer than its tag allows")
        if start + length > len(data):
            raise ValueError("it ends too early")
        yield kind, data[start : start + length]
        at = following
