"""Overlays, pixel by pixel."""

import cv2
import numpy as np
import pytest

from refseg.visualization import TRUTH_COLOR, heat, overlay
from refseg.visualization.overlays import heat_scale


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (240, 300, 3), dtype=np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    rows, columns = np.indices((240, 300))
    return (rows - 110) ** 2 + (columns - 140) ** 2 < 60**2


def test_outside_of_the_mask_nothing_changes(image: np.ndarray, mask: np.ndarray) -> None:
    before = image.copy()
    picture = overlay(image, mask)
    np.testing.assert_array_equal(picture[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    assert (picture[mask] != image[mask]).any(axis=1).mean() > 0.99


def test_the_rim_has_the_colour_and_the_inside_its_tint(
    image: np.ndarray, mask: np.ndarray
) -> None:
    picture = overlay(image, mask, TRUTH_COLOR, opacity=0.25)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    once = cv2.erode(mask.astype(np.uint8), cross).astype(bool)
    deep = cv2.erode(mask.astype(np.uint8), cross, iterations=8).astype(bool)
    assert (picture[mask & ~once] == TRUTH_COLOR).all()
    tinted = 0.75 * image[deep] + 0.25 * np.array(TRUTH_COLOR)
    assert np.abs(picture[deep] - tinted).max() <= 0.5


def test_the_rim_is_closed_at_the_edge_of_the_image(image: np.ndarray) -> None:
    picture = overlay(image, np.ones((240, 300), dtype=bool), TRUTH_COLOR)
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert (edge == TRUTH_COLOR).all()
    assert not (picture[120, 150] == TRUTH_COLOR).all()


def test_an_empty_mask_leaves_the_image_alone(image: np.ndarray) -> None:
    np.testing.assert_array_equal(overlay(image, np.zeros((240, 300), dtype=bool)), image)


def test_a_single_pixel_is_seen(image: np.ndarray) -> None:
    mask = np.zeros((240, 300), dtype=bool)
    mask[7, 9] = True
    assert (overlay(image, mask, TRUTH_COLOR)[7, 9] == TRUTH_COLOR).all()


def test_heat_grows_with_probability_and_outlines_the_prediction() -> None:
    grey = np.full((120, 200, 3), 128, dtype=np.uint8)
    probability = np.linspace(0, 1, 200)[None].repeat(120, axis=0)
    picture = heat(grey, probability)
    white = (picture == 255).all(axis=-1)
    assert white[60].nonzero()[0][0] == (probability[0] > 0.5).nonzero()[0][0]
    assert not white[probability <= 0.5].any()
    brightness = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[60, :, 0].astype(int)
    rising = brightness[~white[60]]
    assert (np.diff(rising) >= -2).all()  # of 255: rounding
    assert rising[-1] - rising[0] > 100


def test_the_scale_shows_the_colours_of_heat() -> None:
    scale = heat_scale(height=4, width=101)
    low = heat(np.full((4, 1, 3), 128, dtype=np.uint8), np.full((4, 1), 0.3))
    assert scale.shape == (4, 101, 3)
    np.testing.assert_array_equal(scale[:, 30], low[:, 0])
