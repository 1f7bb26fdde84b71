"""Polygons and run lengths against pycocotools and masks drawn by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from refseg.errors import DataError
from refseg.masks import area, decode, empty, encode, encode_segmentation, masks_of, union
from refseg.types import RunLengths

from .data.fake_refer import rectangle


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.99, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 2**32))).random((height, width)) < share


@given(masks())
def test_there_and_back(mask: np.ndarray) -> None:
    run_lengths = encode(mask)
    assert (run_lengths.height, run_lengths.width) == mask.shape
    np.testing.assert_array_equal(decode(run_lengths), mask)


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": lambda mask: np.repeat(np.repeat(mask, 2, 0), 2, 1)[::2, ::2],
    "backwards": lambda mask: np.ascontiguousarray(mask[::-1, ::-1])[::-1, ::-1],
    "read only": lambda mask: np.frombuffer(mask.tobytes(), bool).reshape(mask.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@given(masks())
def test_encodes_as_pycocotools_however_the_mask_lies_in_memory(
    layout: Callable[[np.ndarray], np.ndarray], mask: np.ndarray
) -> None:
    expected = coco.encode(np.asfortranarray(mask, np.uint8))
    assert encode(layout(mask)).counts == expected["counts"]
    decoded = decode(encode(layout(mask)))
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60))
def test_decodes_as_pycocotools(runs: list[int]) -> None:
    height, width = 1, max(sum(runs), 1)
    if sum(runs) == 0:
        runs = [1]
    rle = coco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    ours = decode(RunLengths(height, width, rle["counts"]))
    np.testing.assert_array_equal(ours, coco.decode(rle).astype(bool))


def test_overlapping_polygons_are_a_union() -> None:
    """By hand: 4 × 2 pixels and 4 × 2 pixels that share 2 × 2 are 6 × 2 pixels, each once."""
    polygons = [rectangle(0, 0, 4, 2), rectangle(2, 0, 6, 2)]
    mask = decode(encode_segmentation(polygons, 3, 7, "here"))
    expected = np.zeros((3, 7), bool)
    expected[:2, :6] = True
    np.testing.assert_array_equal(mask, expected)


@given(masks())
def test_all_forms_of_run_lengths_are_one(mask: np.ndarray) -> None:
    height, width = mask.shape
    columns = mask.T.ravel()
    borders = np.flatnonzero(np.diff(columns)) + 1
    runs = np.diff([0, *borders, columns.size]).tolist()
    if columns[0]:
        runs.insert(0, 0)
    compressed = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    forms: list[Any] = [runs, compressed, compressed.decode("ascii")]
    found = set()
    for counts in forms:
        rle = {"size": [height, width], "counts": counts}
        for segmentation in (rle, [rle], [rle, rle]):
            found.add(encode_segmentation(segmentation, height, width, "here"))
    assert found == {encode(mask)}


def test_polygons_of_two_points_enclose_nothing() -> None:
    with_line = [[1.0, 1.0, 5.0, 5.0], rectangle(0, 0, 2, 2)]
    without = [rectangle(0, 0, 2, 2)]
    assert encode_segmentation(with_line, 6, 6, "here") == encode_segmentation(
        without, 6, 6, "here"
    )


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "expected a segmentation of polygons or run lengths, got None"),
        ([], "expected a segmentation of polygons or run lengths"),
        ("abc", "expected a segmentation of polygons or run lengths"),
        ([[1, 2, 3, 4, 5]], "expected a polygon as a list of numbers"),
        ([[1, 2, "3", 4, 5, 6]], "expected a polygon as a list of numbers"),
        ([[True] * 6], "expected a polygon as a list of numbers"),
        ([[[1, 2], [3, 4], [5, 6]]], "expected a polygon as a list of numbers"),
        ([rectangle(0, 0, 2, 2), {"size": [10, 20], "counts": [200]}], "expected a polygon"),
        ([[0, 0, 5, 5]], "no polygon has three points"),
        ([[0, 0, 5, 5, float("nan"), 5]], "a coordinate that is not a number"),
        ([[0, 0, 5, 5, 1e12, 5]], "leaves the image of 20 × 10 pixels by far"),
        ([[0, 0, 5, 5, 10**400, 5]], "leaves the image"),
        ([[0, 0, 5, 5, float("-inf"), 5]], "leaves the image"),
        ({"size": [20, 10], "counts": [200]}, r"of size \[10, 20\]"),
        ({"counts": [200]}, r"of size \[10, 20\].*got None"),
        ({"size": [10, 20]}, "run lengths are damaged"),
        ({"size": [10, 20], "counts": [199]}, "add up to the 200 pixels"),
        ({"size": [10, 20], "counts": [300, -100]}, "damaged"),
        ({"size": [10, 20], "counts": [2**70]}, "damaged"),
        ({"size": [10, 20], "counts": [100.0, 100]}, "damaged"),
        ({"size": [10, 20], "counts": ""}, "damaged"),
        ({"size": [10, 20], "counts": "PPPPPPPPPPPP"}, "damaged"),
        ({"size": [10, 20], "counts": b"oooooooo"}, "damaged"),
        ({"size": [10, 20], "counts": "äöü漢"}, "damaged"),
    ],
)
def test_what_cannot_be_names_the_record(segmentation: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        encode_segmentation(segmentation, 10, 20, "refs.p, ref_id 7")
    assert str(caught.value).startswith("refs.p, ref_id 7: ")


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, -1), (2**20, 2**20)])
def test_sizes_that_cannot_be(height: int, width: int) -> None:
    with pytest.raises(DataError, match="cannot have a mask"):
        encode_segmentation([rectangle(0, 0, 2, 2)], height, width, "here")


@given(st.binary(max_size=30))
def test_any_bytes_are_run_lengths_or_an_error(counts: bytes) -> None:
    try:
        run_lengths = encode_segmentation({"size": [9, 9], "counts": counts}, 9, 9, "here")
    except DataError:
        return
    assert decode(run_lengths).shape == (9, 9)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 300), (33, 5)], ids=str)
def test_decodes_masks_of_any_shape(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(size) < 0.5
    found = decode(encode(mask))
    assert found.flags.c_contiguous
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, mask)


def test_decode_of_damaged_run_lengths() -> None:
    with pytest.raises(DataError, match="damaged"):
        decode(RunLengths(5, 5, b"1"))


def test_masks_of_keeps_the_order() -> None:
    first, second = np.eye(4, dtype=bool), np.ones((4, 4), bool)
    truths = [encode(first), encode(second), encode(first)]
    np.testing.assert_array_equal(masks_of(truths), np.stack([first, second, first]))


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=4), st.integers(1, 30))
def test_union_and_area(seeds: list[int], height: int) -> None:
    drawn = [np.random.default_rng(seed).random((height, 17)) < 0.2 for seed in seeds]
    together = np.logical_or.reduce(drawn)
    found = union([encode(mask) for mask in drawn])
    assert found == encode(together)
    assert area(found) == together.sum()


def test_empty() -> None:
    assert empty(3, 5) == encode(np.zeros((3, 5), bool))
    assert area(empty(3, 5)) == 0
    assert union([empty(3, 5), empty(3, 5)]) == empty(3, 5)


def test_polygons_that_would_fill_the_memory() -> None:
    """A few numbers on an image of 11,000 pixels a side: 12 million pixels of outline."""
    side = 11_000
    far = 9 * side
    zigzag = [0.0, 0.0] + [float(x) for _ in range(60) for x in (far, far, 0, 0)]
    with pytest.raises(DataError, match=r"its polygons are longer than 4,000,000 pixels"):
        encode_segmentation([zigzag], side, side, "here")
