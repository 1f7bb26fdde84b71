"""Outlines: on the rim, around it, and nowhere else."""

import cv2
import numpy as np
import pytest

from refseg.visualization.outlines import outlined

COLOR = (200, 100, 0)


def _mask() -> np.ndarray:
    mask = np.zeros((60, 80), dtype=bool)
    mask[10:50, 20:60] = True
    return mask


@pytest.mark.parametrize("dashed", [False, True])
def test_inside_and_outside_stay_as_they_are(dashed: bool) -> None:
    image = np.random.default_rng(0).integers(1, 99, (60, 80, 3)).astype(np.uint8)
    mask = _mask()
    picture = outlined(image, mask, COLOR, width=3, dashed=dashed)
    near = np.ones_like(mask)
    near[:8], near[52:], near[:, :18], near[:, 62:] = False, False, False, False
    near[14:46, 24:56] = False
    changed = (picture != image).any(axis=-1)
    assert not (changed & ~near).any()
    rim = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) == 0)
    share = (picture[rim] == COLOR).all(axis=-1).mean()
    assert 0.3 < share < 0.8 if dashed else share == 1


def test_an_empty_mask_draws_nothing() -> None:
    image = np.full((8, 8, 3), 7, np.uint8)
    assert (outlined(image, np.zeros((8, 8), bool), COLOR) == image).all()


def test_a_mask_of_the_whole_image_has_a_closed_rim() -> None:
    picture = outlined(np.zeros((30, 30, 3), np.uint8), np.ones((30, 30), bool), COLOR)
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert (edge == COLOR).all()
