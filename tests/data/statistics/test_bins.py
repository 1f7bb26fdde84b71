"""Groups: every value in exactly one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.statistics.bins import (
    COCO_AREA_BINS,
    DISTRACTOR_BINS,
    FEW_DISTRACTOR_BINS,
    GOOGLE_LENGTH_BINS,
    REFERIT_LENGTH_BINS,
    SHAPES_LENGTH_BINS,
    SHARE_BINS,
    SIZE_BINS,
    UNC_LENGTH_BINS,
    Bins,
    length_bins,
)

ALL = [
    GOOGLE_LENGTH_BINS,
    UNC_LENGTH_BINS,
    REFERIT_LENGTH_BINS,
    SHAPES_LENGTH_BINS,
    SHARE_BINS,
    SIZE_BINS,
    COCO_AREA_BINS,
    DISTRACTOR_BINS,
    FEW_DISTRACTOR_BINS,
]


@pytest.mark.parametrize("bins", ALL, ids=lambda bins: bins.labels[0])
@given(st.lists(st.floats(0, 1e9)))
def test_every_value_is_in_the_group_whose_limits_enclose_it(
    bins: Bins, values: list[float]
) -> None:
    numbers = np.array(values)
    index = bins.index(numbers)
    upper = [*bins.lower[1:], np.inf]
    for value, place in zip(values, index.tolist(), strict=True):
        assert bins.lower[place] <= value < upper[place] or (place == 0 and value < upper[0])
    assert bins.counts(numbers).sum() == len(values)
    assert len(bins.labels) == len(bins.lower)


@pytest.mark.parametrize(
    ("dataset", "words", "label"),
    [
        ("refcocog", 5, "1–5"),
        ("refcocog", 6, "6–7"),
        ("refcocog", 8, "8–10"),
        ("refcocog", 20, "11–20"),
        ("refcoco", 2, "1–2"),
        ("refcoco+", 3, "3"),
        ("grefcoco", 4, "4–5"),
        ("refcoco", 6, "6–20"),
        ("refcoco", 21, "> 20"),
        ("referit", 1, "1"),
        ("refclef", 4, "3–4"),
        ("referit", 5, "5–20"),
        ("shapes", 3, "1–3"),
        ("shapes", 4, "4–6"),
        ("shapes", 9, "7–9"),
        ("shapes", 10, "≥ 10"),
        ("mine", 7, "6–7"),
    ],
)
def test_lengths_are_grouped_as_in_the_paper(dataset: str, words: int, label: str) -> None:
    bins = length_bins(dataset)
    assert bins.labels[bins.index(np.array([words]))[0]] == label
