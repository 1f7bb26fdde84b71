"""Files of every kind become RGB in their own size."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refseg.data.images import image_exists, image_size, read_image
from refseg.data.readers.mask_files import read_mask_file
from refseg.errors import DataError

COLOUR = (200, 100, 50)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("RGB", "png"),
        ("RGBA", "png"),
        ("P", "png"),
        ("L", "png"),
        ("LA", "png"),
        ("1", "png"),
        ("I;16", "png"),
        ("CMYK", "tiff"),
        ("RGB", "jpg"),
        ("L", "jpg"),
        ("CMYK", "jpg"),
    ],
)
def test_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    image = Image.new("RGB", (8, 5), COLOUR)
    grey = int(np.asarray(image.convert("L"))[0, 0])
    if mode == "I;16":
        Image.fromarray(np.full((5, 8), grey * 257, np.uint16)).save(path)
    else:
        image.convert(mode).save(path)
    pixels = read_image(path)
    assert pixels.shape == (5, 8, 3)
    assert pixels.flags.writeable
    if mode == "1":
        assert set(np.unique(pixels)) <= {0, 255}
    else:
        expected = (grey,) * 3 if mode in ("L", "LA", "I;16") else COLOUR
        tolerance = {"P": 51, "RGB": 3, "CMYK": 3}.get(mode, 1)  # 51: steps of the palette
        assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The image .*cat\.jpg is absent"):
        read_image(tmp_path / "cat.jpg")


@pytest.mark.parametrize("kept", [0, 10, 300, 2000])
def test_broken(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cat.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    Image.fromarray(noise).save(path)
    assert path.stat().st_size > 3000
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"Cannot read the image .*cat\.jpg .*cut short"):
        read_image(path)


def test_something_else(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_text("<html>404</html>")
    with pytest.raises(DataError, match="Cannot read the image"):
        read_image(tmp_path / "cat.jpg")
    with pytest.raises(DataError, match="Cannot read the image"):
        read_image(tmp_path)


@pytest.mark.parametrize("folder", ["", "a.zip/"])
def test_a_name_that_is_too_long_is_no_file(folder: str, tmp_path: Path) -> None:
    assert not image_exists(tmp_path / f"{folder}{'a' * 300}.zip" / f"{'b' * 300}.jpg")


def header_of_bmp(width: int, height: int) -> bytes:
    """A file that says it is so large; its pixels are missing."""
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def test_large_photographs_are_taken_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "large.bmp").write_bytes(header_of_bmp(12_000, 11_000))  # where Pillow warns
    assert image_size(tmp_path / "large.bmp") == (11_000, 12_000)


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "absurd.bmp").write_bytes(header_of_bmp(100_000, 100_000))
    with pytest.raises(DataError, match=r"Cannot read the image .*absurd\.bmp"):
        image_size(tmp_path / "absurd.bmp")


def test_a_png_that_claims_gigabytes_gets_none(tmp_path: Path) -> None:
    """A damaged length of the last chunk of pixels, which are all there."""
    path = tmp_path / "mask.png"
    pixels = np.random.default_rng(0).integers(0, 2, (30, 40), np.uint8)
    Image.fromarray(pixels).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") - 4] = 0x7F
    path.write_bytes(content)
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(read_image(path)[..., 0], pixels)
        mask = read_mask_file(path, 30, 40, "here")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(mask, pixels != 0)
    assert most < 10_000_000
