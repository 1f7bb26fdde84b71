"""Widths from shapes, and every fault in one message."""

import pytest
import torch
from torch import Tensor

from refseg.errors import ConfigError
from refseg.models.original.shapes import Shape, infer_widths

PATTERNS: dict[str, Shape] = {
    "embedding": ("V", "E"),
    "kernel": ("E+H", "4H"),
    "bias": ("4H",),
    "conv": (1, 1, "P+E+H+8", "M"),
    "projection": (1, 1, 9, "P"),
    "projection_bias": ("P",),
    "conv_bias": ("M",),
    "last": (1, 1, "M", 1),
    "filter": ("2S", "2S"),
}
SHAPES = {
    "embedding": (60, 24),
    "kernel": (44, 80),
    "bias": (80,),
    "conv": (1, 1, 22 + 44 + 8, 16),
    "projection": (1, 1, 9, 22),
    "projection_bias": (22,),
    "conv_bias": (16,),
    "last": (1, 1, 16, 1),
    "filter": (64, 64),
}


def variables(**changed: tuple[int, ...]) -> dict[str, Tensor]:
    return {name: torch.zeros(shape) for name, shape in (SHAPES | changed).items()}


def message(given: dict[str, Tensor]) -> str:
    with pytest.raises(ConfigError) as caught:
        infer_widths(PATTERNS, given)
    return str(caught.value)


def test_widths() -> None:
    expected = {"E": 24, "H": 20, "M": 16, "P": 22, "S": 32, "V": 60}
    assert infer_widths(PATTERNS, variables()) == expected
    without = variables()
    del without["filter"]
    del expected["S"]
    assert infer_widths(PATTERNS, without, optional=["filter"]) == expected


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("embedding", (24, 60), "(any, 24)"),
        ("kernel", (44, 84), "(44, 80)"),
        ("kernel", (80, 44), "(44, 80)"),
        ("bias", (81,), "(80)"),
        ("conv", (1, 1, 75, 16), "(1, 1, 74, 16)"),
        ("conv", (74, 16), "(1, 1, 74, 16)"),
        ("projection", (1, 1, 8, 22), "(1, 1, 9, 22)"),
        ("last", (1, 1, 1, 16), "(1, 1, 16, 1)"),
        ("conv_bias", (), "(16)"),
    ],
)
def test_the_one_that_contradicts_the_others_is_named(
    name: str, shape: tuple[int, ...], expected: str
) -> None:
    told = message(variables(**{name: shape}))
    assert f"1 misshapen: {name} (expected {expected}, got {shape})." in told


def test_two_that_contradict_are_both_named() -> None:
    told = message(variables(embedding=(60, 25), last=(1, 1, 17, 1)))
    assert "2 misshapen: " in told
    assert "embedding (expected (any, 24), got (60, 25))" in told
    assert "last (expected (1, 1, 16, 1), got (1, 1, 17, 1))" in told


def test_all_faults_stand_in_one_message() -> None:
    given = variables(bias=(76,))
    del given["last"], given["filter"]
    given["beta"] = torch.zeros(1)
    told = message(given)
    assert "of 9 expected, 2 missing: last, filter" in told
    assert "1 not of this model: beta" in told
    assert "1 misshapen: bias (expected (80), got (76,))" in told


def test_nothing_at_all() -> None:
    assert "9 missing: embedding, kernel, bias" in message({})
