"""Own photographs that were held otherwise: the mask lies on the object, however it is given."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from refseg.data.dataset import read_annotated_image
from refseg.data.readers.folder import read_folder
from refseg.data.verification import verify
from refseg.errors import DataError
from refseg.masks import decode

from ..fake_folder import write_jsonl
from ..test_orientation import STORED, write

LEFT, TOP, RIGHT, BOTTOM = 4, 6, 24, 20  # of the red box, on the upright picture


def upright(height: int, width: int) -> np.ndarray:
    """A red box on white."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[TOP:BOTTOM, LEFT:RIGHT] = (200, 0, 0)
    return pixels


def red(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 150) & (pixels[..., 1] < 120)


def as_file(folder: Path, mask: np.ndarray) -> object:
    Image.fromarray(mask).save(folder / "mask.png")
    return "mask.png"


def as_run_lengths(folder: Path, mask: np.ndarray) -> object:
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [*rle["size"]], "counts": rle["counts"].decode()}


def as_text(folder: Path, mask: np.ndarray) -> object:
    return json.dumps([as_run_lengths(folder, mask)])


def as_polygon(folder: Path, mask: np.ndarray) -> object:
    rows, columns = np.nonzero(mask)
    left, right = float(columns.min()), float(columns.max() + 1)
    top, bottom = float(rows.min()), float(rows.max() + 1)
    return [[left, top, right, top, right, bottom, left, bottom]]


FORMS: list[Callable[[Path, np.ndarray], object]] = [as_file, as_run_lengths, as_text, as_polygon]


def overlap(root: Path, dataset: str = "mine") -> list[float]:
    """IoU of each row's mask and the red box that its image shows."""
    references = read_folder(root, dataset)
    found = []
    for row in range(len(references)):
        box, mask = red(read_annotated_image(references, row)), decode(references.truth(row))
        found.append((box & mask).sum() / (box | mask).sum())
    return found


def write_set(root: Path, stored: np.ndarray, number: int, *masks: object) -> None:
    folder = root / "mine"
    write(folder / "photo.jpg", stored, number)
    write_jsonl(
        folder / "annotations.jsonl",
        [{"image": "photo.jpg", "expression": "the red box", "mask": mask} for mask in masks],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", STORED)
@pytest.mark.parametrize("size", [(64, 96), (64, 64)])
def test_masks_on_the_picture_as_it_is_seen(
    folder: Path, form: Callable[..., object], number: int, size: tuple[int, int]
) -> None:
    picture = upright(*size)
    write_set(folder.parent, STORED[number](picture), number, form(folder, red(picture)))
    assert min(overlap(folder.parent)) > 0.95


@pytest.mark.parametrize("form", FORMS[:3])
@pytest.mark.parametrize("number", [5, 6, 7, 8])
def test_masks_on_the_picture_as_it_is_stored(
    folder: Path, form: Callable[..., object], number: int
) -> None:
    stored = STORED[number](upright(64, 96))
    write_set(folder.parent, stored, number, form(folder, red(stored)))
    assert min(overlap(folder.parent)) > 0.95


def test_polygons_follow_what_others_say_of_their_image(folder: Path) -> None:
    stored = STORED[5](upright(64, 96))  # where the box lies within either picture
    masks = as_polygon(folder, red(stored)), as_file(folder, red(stored)), []
    write_set(folder.parent, stored, 5, *masks)
    assert min(overlap(folder.parent)[:2]) > 0.95
    # Points beyond the upright picture and within the stored one say it themselves.
    stored = STORED[6](upright(64, 96))
    assert np.nonzero(red(stored))[0].max() > 64
    write_set(folder.parent, stored, 6, as_polygon(folder, red(stored)))
    assert min(overlap(folder.parent)) > 0.95


def test_masks_that_disagree_are_bad_records(folder: Path) -> None:
    picture = upright(64, 96)
    masks: list[Any] = [as_run_lengths(folder, red(STORED[6](picture)))]
    masks.append(as_run_lengths(folder, red(picture)))
    write_set(folder.parent, STORED[6](picture), 6, *masks)
    with pytest.raises(DataError, match=r"line 1: expected run lengths of size \[64, 96\]"):
        read_folder(folder.parent, "mine")


@pytest.mark.parametrize("number", STORED)
def test_a_mask_with_an_orientation_of_its_own(folder: Path, number: int) -> None:
    """As where it was made of the photograph by a program that keeps EXIF."""
    picture = upright(64, 96)
    exif = Image.Exif()
    exif[0x0112] = number
    mask = np.ascontiguousarray(STORED[number](red(picture).astype(np.uint8) * 255))
    Image.fromarray(mask).save(folder / "mask.png", exif=exif)
    write_set(folder.parent, STORED[number](picture), number, "mask.png")
    assert min(overlap(folder.parent)) > 0.95


@pytest.mark.parametrize(("size", "unclear"), [((64, 96), 3), ((64, 64), 7)])
def test_verify_lists_what_no_size_tells(folder: Path, size: tuple[int, int], unclear: int) -> None:
    lines = []
    picture = upright(*size)
    mask = as_run_lengths(folder, red(picture))
    for number, store in STORED.items():
        write(folder / f"{number}.jpg", store(picture), number)
        lines.append({"image": f"{number}.jpg", "expression": "the red box", "mask": mask})
    write_jsonl(folder / "annotations.jsonl", lines)
    found = verify(folder.parent, "mine")
    assert found.is_clean
    assert len(found.unclear) == unclear
    assert found.unclear[0].record == "image 1, 2.jpg"
    assert found.unclear[0].message == "EXIF orientation 2."
