"""The same picture from every kind of pixels, as a file, as a PIL image and as an array."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refseg.data.images import read_image
from refseg.data.pixels import rgb_from_array
from refseg.errors import DataError
from refseg.inference.pipeline import as_pixels

GREY = np.linspace(0, 255, 48).round().astype(np.uint8).reshape(6, 8)
KINDS = {
    "8 bits": GREY,
    "16 bits": GREY.astype(np.uint16) * 257,
    "32 bits, 0 to 255": GREY.astype(np.int32),
    "32 bits, 0 to 65535": GREY.astype(np.int32) * 257,
    "fractions to 1": (GREY / 255).astype(np.float32),
    "fractions to 255": GREY.astype(np.float32),
}


@pytest.mark.parametrize("name", KINDS)
def test_grey_pictures_of_every_kind(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture.tif"
    Image.fromarray(KINDS[name]).save(path)
    expected = np.repeat(GREY[..., None], 3, axis=2)
    np.testing.assert_array_equal(as_pixels(path), expected)
    np.testing.assert_array_equal(as_pixels(KINDS[name]), expected)
    np.testing.assert_array_equal(as_pixels(KINDS[name][..., None]), expected)
    with Image.open(path) as image:
        np.testing.assert_array_equal(as_pixels(image), expected)


def test_either_order_of_bytes(tmp_path: Path) -> None:
    wide = KINDS["16 bits"]
    for order in ("<u2", ">u2"):
        path = tmp_path / "picture.tif"
        Image.fromarray(wide.astype(order)).save(path)
        np.testing.assert_array_equal(read_image(path)[..., 0], GREY)
        np.testing.assert_array_equal(as_pixels(wide.astype(order))[..., 0], GREY)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"]
)
def test_modes_of_pil(tmp_path: Path, mode: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(colours).convert(mode)
    path = tmp_path / ("picture.png" if mode in ("1", "L", "LA", "P", "RGB", "RGBA") else "p.tif")
    if mode != "PA":  # of which no file can be written
        image.save(path)
        np.testing.assert_array_equal(as_pixels(path), as_pixels(image))
    np.testing.assert_array_equal(as_pixels(image), np.asarray(image.convert("RGB")))
    if mode in ("RGB", "RGBA", "RGBX"):
        np.testing.assert_array_equal(as_pixels(image), colours)


def test_a_palette_with_transparent_colours(tmp_path: Path) -> None:
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    image = Image.frombytes("P", (2, 2), indices.tobytes())
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(tmp_path / "picture.png", transparency=bytes([255, 0, 128]))
    expected = 200 * np.eye(3, dtype=np.uint8)[indices]
    np.testing.assert_array_equal(as_pixels(tmp_path / "picture.png"), expected)
    with Image.open(tmp_path / "picture.png") as opened:
        np.testing.assert_array_equal(as_pixels(opened), expected)


def test_arrays_with_channels() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    for array in (
        colours,
        np.dstack([colours, np.zeros((6, 8), np.uint8)]),
        colours.astype(np.uint16) * 257,
        colours / 255,
        colours.astype(np.int64),
    ):
        np.testing.assert_array_equal(as_pixels(array), colours)
    np.testing.assert_array_equal(as_pixels(GREY > 100)[..., 2], (GREY > 100) * 255)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4), 1e6, np.float32), "float32 with values from 1e\\+06 to 1e\\+06"),
        (np.array([[-1.0, 1.0]]), "float64 with values from -1 to 1"),
        (np.array([[0.0, np.nan]]), "float64 with values from nan to nan"),
        (np.array([[0, 70_000]], np.int32), "int32 with values from 0 to 70000"),
        (np.array([[0, -5]], np.int16), "int16 with values from -5 to 0"),
        (np.zeros((4, 4), complex), "complex128"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\); expected \(height, width\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
    ],
)
def test_what_has_no_known_white_is_refused_with_its_kind(
    array: np.ndarray, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        rgb_from_array(array, "It")
    if array.dtype in (np.float32, np.int32):
        Image.fromarray(array).save(tmp_path / "wide.tif")
        with pytest.raises(DataError, match=f"wide.tif has pixels of the kind {message}"):
            read_image(tmp_path / "wide.tif")
        with (
            Image.open(tmp_path / "wide.tif") as image,
            pytest.raises(DataError, match=f"wide.tif has pixels of the kind {message}"),
        ):
            as_pixels(image)


def test_a_pil_image_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with Image.open(path) as image, pytest.raises(DataError, match=r"cat\.png cannot be read"):
        as_pixels(image)
