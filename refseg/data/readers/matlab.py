"""Masks in MATLAB files, read without believing the sizes that a broken file claims."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Shaped

from refseg.errors import DataError

_HEADER = 128
_COMPRESSED = 15
_NUMERIC = {"double", "single", "logical"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def read_mat_mask(
    path: Path, variable: str, height: int, width: int, record: str
) -> Shaped[np.ndarray, "{height} {width}"]:
    """Read one variable of a MATLAB file (version 5 to 7) that has the size of an image.

    The file is unpacked here, up to what such an image can need, and given to scipy unpacked, as a
    small compressed file can claim gigabytes.

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
            packed = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"{record}: cannot read {path} ({error.strerror or error}).") from None
    try:
        unpacked = _unpack(packed, limit)
        variables = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(unpacked)}
        found = variables.get(variable)
        if found is not None and found[0] == (height, width) and found[1] in _NUMERIC:
            return np.asarray(scipy.io.loadmat(unpacked, variable_names=[variable])[variable])
    except Exception as error:  # whatever a broken file makes the reader stumble over
        raise DataError(
            f"{record}: {path} is not a complete MATLAB file ({type(error).__name__}: "
            f"{str(error)[:200]}); download or unpack it again."
        ) from None
    if found is None:
        raise DataError(
            f"{record}: expected the variable '{variable}' in {path}, got "
            f"{', '.join(variables) or 'none'}."
        )
    raise DataError(
        f"{record}: expected '{variable}' in {path} to have {height} × {width} numbers (rows × "
        f"columns), got {' × '.join(map(str, found[0]))} of type {found[1]}."
    )


def _unpack(data: bytes, limit: int) -> io.BytesIO:
    """The file with its variables uncompressed, at most `limit` bytes of them."""
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None:
        raise ValueError("it does not begin as one of version 5 to 7")
    parts, size, at = [data[:_HEADER]], 0, _HEADER
    while at < len(data):
        kind, length = struct.unpack_from(f"{order}II", data, at)
        part = data[at : at + 8 + length]
        if kind == _COMPRESSED:
            part = zlib.decompressobj().decompress(part[8:], limit + 1)
        size += len(part)
        if size > limit:
            raise ValueError(f"it unpacks to more than {limit} bytes")
        parts.append(part)
        at += 8 + length
    return io.BytesIO(b"".join(parts))
