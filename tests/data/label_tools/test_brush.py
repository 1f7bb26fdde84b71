"""The brush of Label Studio, against bits that are written by the description of the format."""

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.label_tools.brush import decode_brush

from .exports import drawn, packed_bits


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.booleans())
def test_any_mask(mask: np.ndarray, repeat: bool) -> None:
    assert (decode_brush(packed_bits(mask, repeat), *mask.shape, "here") == mask).all()


def test_a_case_worked_by_hand() -> None:
    """Two pixels, the second one opaque, in one run of seven values and one that is repeated."""
    bits = (
        "00000000000000000000000000001000"  # 8 values
        "00111"  # of 8 bits
        "0010" "0011" "0111" "1111"  # lengths of 3, 4, 8 or 16 bits
        "0" "00" "110"  # a run of 7 single values
        + "00000000" * 7
        + "1" "00" "000" "11111111"  # and one of one repeated value
    )  # fmt: skip
    bits += "0" * (-len(bits) % 8)
    values = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert decode_brush(values, 1, 2, "here").tolist() == [[False, True]]


def test_large_runs() -> None:
    """Up to the longest that there is, of 65,536 values."""
    mask = np.zeros((300, 200), dtype=bool)
    mask[150, 50:70] = True
    assert (decode_brush(packed_bits(mask), *mask.shape, "here") == mask).all()


def test_many_runs() -> None:
    mask = np.kron(drawn(), np.ones((3, 3), dtype=bool))
    assert (decode_brush(packed_bits(mask, repeat=False), *mask.shape, "here") == mask).all()
