"""The way into the square and back, as graphs: what OpenCV and Pillow make of the same images."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

from refseg.geometry import Fit, Geometry, Resampling
from refseg.inference.exported_letterbox import FittingGraphs, export_fitting

SIDE, FILL = 48, 7
SIZES = ((30, 40), (200, 90), (48, 48), (96, 96), (17, 400), (1, 300), (333, 480))
WAYS = [
    ("letterbox", "antialiased"),
    ("squash", "antialiased"),
    ("letterbox", "pillow"),
    ("squash", "pillow"),
]


@cache
def exported(fit: Fit, resampling: Resampling) -> FittingGraphs:
    graphs = export_fitting(SIDE, fit, resampling, FILL)
    assert graphs is not None
    return graphs


def images() -> Iterator[np.ndarray]:
    """Images of many sizes, with soft and hard edges."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    for height, width in SIZES:
        scaled = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        yield np.asarray(scaled).copy()


@pytest.mark.parametrize(("fit", "resampling"), WAYS)
def test_an_image_lies_in_the_square_as_geometry_puts_it(fit: Fit, resampling: Resampling) -> None:
    graph = exported(fit, resampling).letterbox.module()
    for image in images():
        expected = Geometry.of(fit, *image.shape[:2], SIDE, resampling).apply_image(image, FILL)
        found = graph(torch.from_numpy(image))[0].permute(1, 2, 0).numpy()
        apart = np.abs(found.astype(int) - expected)
        assert apart.max() <= (2 if resampling == "pillow" else 1)  # of 256: Pillow rounds twice
        is_exact = resampling == "antialiased" and fit == "letterbox" and max(image.shape) > SIDE
        assert apart.mean() < (0.001 if is_exact else 0.25)


@pytest.mark.parametrize("fit", ["letterbox", "squash"])
def test_masks_come_back_as_geometry_brings_them(fit: Fit) -> None:
    graph = exported(fit, "antialiased").own_size.module()
    logits = torch.from_numpy(np.random.default_rng(1).normal(size=(3, SIDE, SIDE))).float()
    for image in images():
        expected = Geometry.of(fit, *image.shape[:2], SIDE).invert(logits) > 0
        found = graph(logits, torch.from_numpy(image))
        assert found.shape == expected.shape
        assert (found != expected).float().mean() < 1e-4


@pytest.mark.parametrize("resampling", ["original", "cubic"])
def test_what_the_originals_do_is_not_exported(resampling: Resampling) -> None:
    assert export_fitting(SIDE, "letterbox", resampling) is None
