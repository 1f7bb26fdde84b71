"""Contact sheets: everything is on the page, and what is special is marked as such."""

import numpy as np
import pytest

from refseg.errors import ConfigError
from refseg.visualization.contact_sheet import (
    OBJECT_COLORS,
    AnnotatedImage,
    NamedObject,
    contact_sheet,
)
from refseg.visualization.text import FAINT_INK, INK

PANEL = 200


def _annotated(
    height: int = 90, width: int = 120, objects: int = 1, seen: bool = True, is_box: bool = False
) -> AnnotatedImage:
    image = np.full((height, width, 3), 40, dtype=np.uint8)
    named = []
    for number in range(objects):
        mask = np.zeros((height, width), dtype=bool)
        if seen:
            mask[10:60, 10 + 3 * number : 60 + 3 * number] = True
        named.append(NamedObject([f"thing {number}"], mask, is_box))
    return AnnotatedImage(image, named, "image.jpg")


def _pixels(sheet: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((sheet == color).all(axis=-1).sum())


def test_every_object_has_a_color_of_its_own() -> None:
    sheet = contact_sheet([_annotated(objects=8)], panel=PANEL)
    assert all(_pixels(sheet, color) > 100 for color in OBJECT_COLORS)
    sheet = contact_sheet([_annotated(objects=2)], panel=PANEL)
    assert [_pixels(sheet, color) > 0 for color in OBJECT_COLORS] == [True] * 2 + [False] * 4


def test_images_stand_in_columns_with_white_margins() -> None:
    images = [_annotated(90, 120), _annotated(300, 100), _annotated(20, 300), _annotated(90, 120)]
    sheet = contact_sheet(images, "title", columns=2, panel=PANEL)
    assert sheet.shape[1] == 20 + 2 * PANEL + 24 + 20
    for margin in (sheet[:18], sheet[-18:], sheet[:, :18], sheet[:, -18:]):
        assert (margin == 255).all()
    assert (sheet[:, 20 + PANEL + 2 : 20 + PANEL + 22] == 255).all()  # between the columns


def test_what_names_nothing_has_no_outline() -> None:
    sheet = contact_sheet([_annotated(seen=False)], panel=PANEL)
    assert _pixels(sheet, OBJECT_COLORS[0]) == 0
    named = contact_sheet([_annotated()], panel=PANEL)
    assert sheet.shape[0] > named.shape[0]  # a line says so


def test_a_box_is_dashed_and_said_to_be_one() -> None:
    sheet, box = (contact_sheet([_annotated(is_box=value)], panel=PANEL) for value in (False, True))
    assert _pixels(box, FAINT_INK) > 1.5 * _pixels(sheet, FAINT_INK)  # a note in the last line
    assert 0 < _pixels(box, OBJECT_COLORS[0]) < 0.7 * _pixels(sheet, OBJECT_COLORS[0])


def test_a_long_sentence_goes_on_below() -> None:
    mask = np.ones((90, 120), bool)
    heights = []
    for words in (3, 40, 80):
        one = NamedObject([" ".join(["word"] * words)], mask)
        sheet = contact_sheet([AnnotatedImage(_annotated().image, [one])], panel=PANEL)
        assert (sheet[:, -18:] == 255).all()
        heights.append(sheet.shape[0])
    assert heights[0] < heights[1] < heights[2]


def test_sentences_that_were_not_looked_for_are_grey() -> None:
    mask = np.ones((90, 120), bool)
    for marked, ink, no_ink in (([True], INK, FAINT_INK), ([False], FAINT_INK, INK)):
        one = NamedObject(["MMMM"], mask, marked=marked)
        sheet = contact_sheet([AnnotatedImage(_annotated().image, [one])], panel=PANEL)
        assert _pixels(sheet, ink) > 0
        assert _pixels(sheet, no_ink) == 0


def test_an_absent_image_keeps_its_place() -> None:
    annotated = _annotated()
    there = contact_sheet([annotated], panel=PANEL)
    gone = contact_sheet([AnnotatedImage(None, annotated.objects, annotated.name)], panel=PANEL)
    assert gone.shape == there.shape
    assert _pixels(gone, (40, 40, 40)) == 0
    assert _pixels(gone, OBJECT_COLORS[0]) > 100


@pytest.mark.parametrize(("images", "columns"), [([], 1), ([_annotated()], 0)])
def test_nothing_to_draw(images: list[AnnotatedImage], columns: int) -> None:
    with pytest.raises(ConfigError, match="at least one image and one column"):
        contact_sheet(images, columns=columns)
