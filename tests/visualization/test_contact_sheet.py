"""Contact sheets: everything is on the page, and what is special is marked as such."""

import numpy as np
import pytest

from refseg.errors import ConfigError
from refseg.visualization.contact_sheet import OBJECT_COLORS, NamedObject, Sight, contact_sheet
from refseg.visualization.text import FAINT_INK, INK

PANEL = 200


def _sight(
    height: int = 90, width: int = 120, objects: int = 1, seen: bool = True, is_box: bool = False
) -> Sight:
    image = np.full((height, width, 3), 40, dtype=np.uint8)
    named = []
    for number in range(objects):
        mask = np.zeros((height, width), dtype=bool)
        if seen:
            mask[10:60, 10 + 3 * number : 60 + 3 * number] = True
        named.append(NamedObject([f"thing {number}"], mask, is_box))
    return Sight(image, named, "image.jpg")


def _pixels(sheet: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((sheet == color).all(axis=-1).sum())


def test_every_object_has_a_color_of_its_own() -> None:
    sheet = contact_sheet([_sight(objects=8)], panel=PANEL)
    assert all(_pixels(sheet, color) > 100 for color in OBJECT_COLORS)
    sheet = contact_sheet([_sight(objects=2)], panel=PANEL)
    assert [_pixels(sheet, color) > 0 for color in OBJECT_COLORS] == [True] * 2 + [False] * 4


def test_images_stand_in_columns_with_white_margins() -> None:
    sights = [_sight(90, 120), _sight(300, 100), _sight(20, 300), _sight(90, 120)]
    sheet = contact_sheet(sights, "title", columns=2, panel=PANEL)
    assert sheet.shape[1] == 20 + 2 * PANEL + 24 + 20
    for margin in (sheet[:18], sheet[-18:], sheet[:, :18], sheet[:, -18:]):
        assert (margin == 255).all()
    assert (sheet[:, 20 + PANEL + 2 : 20 + PANEL + 22] == 255).all()  # between the columns


def test_what_names_nothing_has_no_outline() -> None:
    sheet = contact_sheet([_sight(seen=False)], panel=PANEL)
    assert _pixels(sheet, OBJECT_COLORS[0]) == 0
    named = contact_sheet([_sight()], panel=PANEL)
    assert sheet.shape[0] > named.shape[0]  # a line says so


def test_a_box_is_dashed_and_said_to_be_one() -> None:
    sheet, box = (contact_sheet([_sight(is_box=value)], panel=PANEL) for value in (False, True))
    assert _pixels(box, FAINT_INK) > 1.5 * _pixels(sheet, FAINT_INK)  # a note in the last line
    assert 0 < _pixels(box, OBJECT_COLORS[0]) < 0.7 * _pixels(sheet, OBJECT_COLORS[0])


def test_a_long_sentence_goes_on_below() -> None:
    mask = np.ones((90, 120), bool)
    heights = []
    for words in (3, 40, 80):
        one = NamedObject([" ".join(["word"] * words)], mask)
        sheet = contact_sheet([Sight(_sight().image, [one])], panel=PANEL)
        assert (sheet[:, -18:] == 255).all()
        heights.append(sheet.shape[0])
    assert heights[0] < heights[1] < heights[2]


def test_sentences_that_were_not_looked_for_are_grey() -> None:
    mask = np.ones((90, 120), bool)
    for marked, ink, no_ink in (([True], INK, FAINT_INK), ([False], FAINT_INK, INK)):
        one = NamedObject(["MMMM"], mask, marked=marked)
        sheet = contact_sheet([Sight(_sight().image, [one])], panel=PANEL)
        assert _pixels(sheet, ink) > 0
        assert _pixels(sheet, no_ink) == 0


def test_an_absent_image_keeps_its_place() -> None:
    sight = _sight()
    there = contact_sheet([sight], panel=PANEL)
    gone = contact_sheet([Sight(None, sight.objects, sight.name)], panel=PANEL)
    assert gone.shape == there.shape
    assert _pixels(gone, (40, 40, 40)) == 0
    assert _pixels(gone, OBJECT_COLORS[0]) > 100


@pytest.mark.parametrize(("sights", "columns"), [([], 1), ([_sight()], 0)])
def test_nothing_to_draw(sights: list[Sight], columns: int) -> None:
    with pytest.raises(ConfigError, match="at least one image and one column"):
        contact_sheet(sights, columns=columns)
