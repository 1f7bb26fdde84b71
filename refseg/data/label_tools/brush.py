"""Label Studio's brush: run lengths in bits, of the values of an RGBA picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from refseg.errors import DataError

_CHANNELS = 4
_ALPHA = 3
_OPAQUE = 127
"""Pixels whose alpha is larger are the object's; the brush writes 0 and 255."""


def decode_brush(
    values: Sequence[object], height: int, width: int, record: str
) -> Bool[np.ndarray, "{height} {width}"]:
    """The mask that a brush has painted, where the picture is opaque.

    The bytes are a stream of bits, the highest first. In front stand the number of values (32
    bits), the bits of a value less one (5), and four widths of lengths, less one (4 each). Then
    come runs: a bit that says whether one value is repeated, two bits that choose a width, the
    length less one in that width, and the value, or as many values as the length says.

    References:
        K. Schmidt, the format of @thi.ng/rle-pack, which Label Studio uses:
        https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack

    Args:
        values: the list `rle` of a region, bytes.
        height: of the image, pixels.
        width: of the image, pixels.
        record: file and record, for messages.

    Raises:
        DataError: they are no bytes, are cut short, or are those of an image of another size.
    """
    if not all(type(value) is int and 0 <= value <= 255 for value in values):
        raise DataError(
            f"{record}: expected the run lengths of its brush as numbers from 0 to 255."
        )
    bits = _Bits(np.array(values, np.uint8), record)
    total, expected = bits.number(32), height * width * _CHANNELS
    if total != expected:
        raise DataError(
            f"{record}: expected the brush of an image of {width} × {height} pixels ({expected:,} "
            f"values), got {total:,}."
        )
    if bits.number(5) + 1 != 8:
        raise DataError(f"{record}: expected values of 8 bits in the run lengths of its brush.")
    widths = [bits.number(4) + 1 for _ in range(4)]
    picture = np.empty(total, np.uint8)
    place = 0
    while place < total:
        is_repeated = bits.number(1)
        end = min(total, place + 1 + bits.number(widths[bits.number(2)]))
        picture[place:end] = bits.number(8) if is_repeated else bits.bytes(end - place)
        place = end
    alpha = picture.reshape(height, width, _CHANNELS)[..., _ALPHA]
    return np.asarray(alpha > _OPAQUE)


class _Bits:
    """Reads numbers from a stream of bits, the highest first."""

    def __init__(self, content: UInt8[np.ndarray, " bytes"], record: str) -> None:
        self._content = content.tobytes()
        self._record = record
        self._place = 0

    def number(self, width: int) -> int:
        start, end = self._advance(width)
        first, last = start // 8, (end + 7) // 8
        covering = int.from_bytes(self._content[first:last], "big")
        return (covering >> (last * 8 - end)) & ((1 << width) - 1)

    def bytes(self, count: int) -> UInt8[np.ndarray, " count"]:
        start, end = self._advance(8 * count)
        first, last = start // 8, (end + 7) // 8
        bits = np.unpackbits(np.frombuffer(self._content[first:last], np.uint8))
        return np.packbits(bits[start - 8 * first : end - 8 * first])

    def _advance(self, bits: int) -> tuple[int, int]:
        start, end = self._place, self._place + bits
        if end > 8 * len(self._content):
            raise DataError(f"{self._record}: the run lengths of its brush are cut short.")
        self._place = end
        return start, end
