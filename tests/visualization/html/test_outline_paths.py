"""Outlines as paths: filled again they are the mask."""

import re

import cv2
import numpy as np
import pytest

from refseg.visualization.html.outline_paths import outline_path


def filled(path: str, height: int, width: int, finer: int = 8) -> np.ndarray:
    """The pixels whose centre lies inside of a path, by the rule evenodd."""
    rings = [
        np.array([[float(n) for n in point.split(",")] for point in ring.split(" ")])
        for ring in re.findall(r"M([^Z]+)Z", path)
    ]
    shift = 4
    polygons = [np.rint((ring * finer - 0.5) * 2**shift).astype(np.int32) for ring in rings]
    canvas = np.zeros((height * finer, width * finer), np.uint8)
    cv2.fillPoly(canvas, polygons, 1, shift=shift)
    return canvas.reshape(height, finer, width, finer).mean((1, 3)) >= 0.5


def blobs(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((60, 80)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 4) > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_parts_and_holes(seed: int) -> None:
    mask = blobs(seed)
    again = filled(outline_path(mask), 60, 80)
    assert (again & mask).sum() / (again | mask).sum() > 0.95


def test_a_ring_has_two_outlines() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    mask[15:25, 15:25] = False
    path = outline_path(mask)
    assert path.count("M") == path.count("Z") == 2
    assert not filled(path, 40, 40)[20, 20]


def test_one_pixel_and_none() -> None:
    mask = np.zeros((9, 9), bool)
    assert outline_path(mask) == ""
    mask[4, 6] = True
    again = filled(outline_path(mask, tolerance=0.0), 9, 9)
    assert np.argwhere(again).tolist() == [[4, 6]]


def test_scale() -> None:
    mask = np.zeros((10, 20), bool)
    mask[2:6, 4:12] = True
    points = [
        [float(n) for n in point.split(",")]
        for point in outline_path(mask, scale=10.0)[1:-1].split(" ")
    ]
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    np.testing.assert_allclose([low, high], [[40, 20], [120, 60]], atol=1.3)
