"""Into the network's square, and back."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from refseg.geometry import Fit, Geometry, resize

SIDES = st.integers(1, 700)
FITS = st.sampled_from(["letterbox", "squash"])


@given(height=SIDES, width=SIDES, size=st.integers(1, 512))
def test_the_scaled_image_lies_inside_and_touches_two_sides(
    height: int, width: int, size: int
) -> None:
    g = Geometry.letterbox(height, width, size)
    assert g.top >= 0
    assert g.top + g.scaled_height <= size
    assert g.left >= 0
    assert g.left + g.scaled_width <= size
    assert max(g.scaled_height, g.scaled_width) == size
    assert abs((size - g.scaled_height) - 2 * g.top) <= 1
    assert abs((size - g.scaled_width) - 2 * g.left) <= 1


@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    size=st.integers(96, 200),
    slope=st.floats(-2, 2),
    fit=FITS,
)
def test_inverting_a_linear_map_gives_the_linear_map(
    height: int, width: int, size: int, slope: float, fit: Fit
) -> None:
    """Bilinear resizing keeps linear functions of the position, but for the clamped border."""
    g = Geometry.of(fit, height, width, size)
    rows = (torch.arange(g.scaled_height, dtype=torch.float64) + 0.5) * height / g.scaled_height
    columns = (torch.arange(g.scaled_width, dtype=torch.float64) + 0.5) * width / g.scaled_width
    square = torch.full((1, size, size), 1e6, dtype=torch.float64)  # the border must not leak in
    inside = rows[:, None] + slope * columns[None, :]
    square[0, g.top : g.top + g.scaled_height, g.left : g.left + g.scaled_width] = inside
    back = g.invert(square.float())[0]
    expected = (torch.arange(height) + 0.5)[:, None] + slope * (torch.arange(width) + 0.5)[None, :]
    assert back.shape == (height, width)
    torch.testing.assert_close(back, expected, atol=2e-3, rtol=1e-4)


@given(height=SIDES, width=SIDES, size=st.integers(1, 100), seed=st.integers(0, 99), fit=FITS)
def test_maps_come_back_by_the_bilinear_interpolation_of_torch(
    height: int, width: int, size: int, seed: int, fit: Fit
) -> None:
    g = Geometry.of(fit, height, width, size)
    maps = torch.randn(2, size, size, generator=torch.Generator().manual_seed(seed)) * 5
    inside = maps[:, g.top : g.top + g.scaled_height, g.left : g.left + g.scaled_width]
    exact = interpolate(inside[:, None].double(), size=(height, width), mode="bilinear")[:, 0]
    torch.testing.assert_close(g.invert(maps).double(), exact, atol=2e-4, rtol=0)


def test_maps_come_back_to_the_last_bit_the_same() -> None:
    """Alone or among others, by one thread or several; whatever floats they were."""
    g = Geometry.letterbox(480, 640, 64)
    maps = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found += [g.invert(maps), torch.cat([g.invert(one[None]) for one in maps])]
    finally:
        cv2.setNumThreads(before)
    assert all(one.equal(found[0]) for one in found)
    assert found[0].dtype == torch.float32
    assert g.invert(maps.double().requires_grad_()).dtype == torch.float64
    assert g.invert(maps[:0]).shape == (0, 480, 640)


@pytest.mark.parametrize("fit", ["letterbox", "squash"])
def test_masks_come_back_as_they_were(fit: Fit) -> None:
    rng = np.random.default_rng(0)
    for height, width in [(375, 500), (640, 427), (333, 1000), (128, 128)]:
        g = Geometry.of(fit, height, width, 320)
        rows, columns = np.mgrid[:height, :width]
        y, x = rng.uniform(0.3, 0.7, 2) * (height, width)
        mask = ((rows - y) / (0.25 * height)) ** 2 + ((columns - x) / (0.2 * width)) ** 2 < 1
        fitted = torch.from_numpy(g.apply_masks(mask[None])).float()
        back = g.invert(fitted)[0].numpy() > 0.5
        iou = (back & mask).sum() / (back | mask).sum()
        assert iou > 0.97
        # area is neither dilated nor eroded, unlike with the papers' "any touched pixel"
        assert abs(back.sum() / mask.sum() - 1) < 0.01


def test_the_border_is_the_fill_and_the_image_is_centred() -> None:
    image = np.full((10, 20, 3), 200, np.uint8)
    fitted = Geometry.letterbox(10, 20, 40).apply_image(image, fill=7)
    assert (fitted[:10] == 7).all()
    assert (fitted[10:30] == 200).all()
    assert (fitted[30:] == 7).all()


@pytest.mark.parametrize("fit", ["letterbox", "squash"])
@pytest.mark.parametrize("size", [32, 64])
def test_an_image_of_the_right_size_is_left_alone(size: int, fit: Fit) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    g = Geometry.of(fit, size, size, size)
    assert (g.apply_image(image) == image).all()
    maps = torch.rand(2, size, size)
    assert torch.equal(g.invert(maps), maps)


def averaged(length: int, outputs: int) -> np.ndarray:
    """The matrix by which each output is the mean of the inputs that it covers."""
    edges = np.arange(outputs + 1) * length / outputs
    first, last = edges[:-1, None], edges[1:, None]
    pixels = np.arange(length)[None, :]
    covered = np.minimum(last, pixels + 1) - np.maximum(first, pixels)
    return covered.clip(0) * outputs / length


def interpolated(length: int, outputs: int) -> np.ndarray:
    """The matrix of bilinear interpolation along one side, by torch."""
    unit = torch.eye(length, dtype=torch.float64)[None]
    return interpolate(unit, size=outputs, mode="linear")[0].T.numpy()


@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 60))
def test_a_squashed_image_fills_the_square(height: int, width: int, size: int) -> None:
    """Each side for itself: means of areas where it shrinks, bilinear where it grows."""
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = Geometry.squash(height, width, size).apply_image(image, fill=99).astype(float)
    rows, columns = ((averaged if s > size else interpolated)(s, size) for s in (height, width))
    expected = np.einsum("ih,hwc,jw->ijc", rows, image.astype(float), columns)
    assert np.abs(found - expected).max() < 1.6  # levels of 255: rounded once along each side


@given(height=SIDES, width=SIDES, size=st.integers(1, 100))
def test_squashed_masks_of_halves_are_halves(height: int, width: int, size: int) -> None:
    """A mask of all pixels left of a column ends at the same share of the width."""
    column = width // 2
    mask = np.zeros((1, height, width), bool)
    mask[:, :, :column] = True
    found = Geometry.squash(height, width, size).apply_masks(mask)[0]
    share = (averaged if width > size else interpolated)(width, size) @ mask[0, 0]
    clear = abs(share - 0.5) > 1e-5  # floats decide ties
    assert (found[:, clear] == (share[clear] > 0.5)).all()


def test_squash_as_the_papers_resample() -> None:
    """Without antialiasing, and every touched pixel of a mask is foreground."""
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    mask = np.zeros((1, 30, 50), bool)
    mask[0, 20, 7] = True
    g = Geometry.squash(30, 50, 40, "original")
    expected = resize(image.transpose(2, 0, 1).astype(float), 40, 40).transpose(1, 2, 0)
    inside = np.s_[2:-2, 2:-2]  # where nothing fades
    assert np.abs(g.apply_image(image)[inside] - expected[inside]).max() <= 0.5 + 1e-6
    touched = resize(mask[0].astype(float), 40, 40) > 0
    np.testing.assert_array_equal(g.apply_masks(mask)[0], touched)
    assert touched.sum() > 1


def test_a_square_image_is_fitted_alike() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    letterbox, squash = Geometry.letterbox(50, 50, 32), Geometry.squash(50, 50, 32)
    np.testing.assert_array_equal(letterbox.apply_image(image), squash.apply_image(image))
    assert letterbox._replace(fit="squash") == squash
