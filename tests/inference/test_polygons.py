"""Polygons are masks again, by COCO's own rasteriser."""

import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from refseg.inference.polygons import polygons_of


def rasterised(polygons: list[list[int]], height: int, width: int) -> np.ndarray:
    covered = np.zeros((height, width), dtype=bool)
    for polygon in polygons:
        (rle,) = coco.frPyObjects([polygon], height, width)
        covered |= np.asarray(coco.decode(rle), dtype=bool)
    return covered


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools' own, of numpy
def test_any_mask(mask: np.ndarray) -> None:
    polygons = polygons_of(mask)
    assert (rasterised(polygons, *mask.shape) == mask).all()
    areas = [cv2.contourArea(np.array(p, np.float32).reshape(-1, 2)) for p in polygons]
    assert sum(areas) == mask.sum(), "no pixel lies in two of them"


def test_a_ring_is_cut_through_its_hole() -> None:
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert sorted(polygons_of(ring)) == [
        [0, 0, 1, 0, 1, 3, 0, 3],
        [1, 0, 3, 0, 3, 3, 1, 3, 1, 2, 2, 2, 2, 1, 1, 1],
    ]


def test_pixels_that_touch_in_a_corner_are_two() -> None:
    mask = np.array([[True, False], [False, True]])
    assert sorted(polygons_of(mask)) == [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_large_disc_with_holes() -> None:
    rows, columns = np.mgrid[:240, :320]
    mask = (rows - 120) ** 2 + (columns - 160) ** 2 < 110**2
    mask &= ((rows // 20 + columns // 20) % 4 != 0) | ((rows % 20) < 5)
    polygons = polygons_of(mask)
    assert (rasterised(polygons, *mask.shape) == mask).all()
    assert 1 < len(polygons) < 100
