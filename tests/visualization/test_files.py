"""PNG files, read back by another library."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from refseg.visualization import write_mask, write_png


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_pictures_come_back_as_they_were(tmp_path: Path, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "new" / "picture.png"
    write_png(path, picture)
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1] if len(shape) == 3 else read, picture)
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]


def test_masks_are_0_and_255_in_one_channel(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((9, 11)) > 0.5
    write_mask(tmp_path / "mask.png", mask)
    read = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED)
    assert read.shape == (9, 11)
    np.testing.assert_array_equal(read, np.where(mask, 255, 0))


def test_an_ending_that_is_not_png_is_a_png_file_too(tmp_path: Path) -> None:
    write_png(tmp_path / "mask", np.zeros((2, 2), dtype=np.uint8))
    assert (tmp_path / "mask").read_bytes().startswith(b"\x89PNG")
