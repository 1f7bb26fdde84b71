"""Wrapping and fonts."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFont

from refseg.visualization import text
from refseg.visualization.text import draw_lines, font_for, line_height, wrap

SENTENCES = [
    "the large red star left of the circle",
    "the one that stands furthest to the left of the picture, behind the table " * 4,
    "unbreakable" * 30,
    "a " + "b" * 300 + " c",
    "左から二番目の赤い傘" * 10,
    "x",
]


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("first_width", [None, 60])
def test_lines_keep_within_the_width_and_lose_no_letter(
    sentence: str, first_width: int | None
) -> None:
    font = font_for(sentence, 16)
    lines = wrap(sentence, font, 150, first_width)
    widths = [font.getlength(line) for line in lines]
    assert max(widths) <= 150
    assert first_width is None or widths[0] <= first_width
    assert "".join(lines).replace(" ", "") == sentence.replace(" ", "")
    assert all(line == line.strip() for line in lines)


def test_lines_break_at_spaces_and_are_filled() -> None:
    font = font_for("", 16)
    sentence = "one two three four five six seven eight nine ten eleven twelve"
    lines = wrap(sentence, font, 150)
    assert " ".join(lines) == sentence
    for line, following in pairwise(lines):
        assert font.getlength(f"{line} {following.split()[0]}") > 150


def test_white_space_of_any_kind_is_one_space() -> None:
    assert wrap(" the\n red\t\tstar ", font_for("", 16), 500) == ["the red star"]
    assert wrap("  ", font_for("", 16), 500) == [""]


def test_plain_english_needs_no_font_of_the_system() -> None:
    own = ImageFont.load_default(16)
    assert font_for("man's 2nd t-shirt, (left) 50%?", 16).getname() == own.getname()


def test_matplotlib_brings_letters_to_systems_without_fonts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib")
    truetype = ImageFont.truetype

    def without_system_fonts(
        font: object, size: float, layout_engine: ImageFont.Layout | None = None
    ) -> ImageFont.FreeTypeFont:
        if isinstance(font, str):
            raise OSError("cannot open resource")
        return truetype(font, size, layout_engine=layout_engine)

    monkeypatch.setattr(ImageFont, "truetype", without_system_fonts)
    text._font.cache_clear()
    try:
        font = font_for("größer", 16)
    finally:
        text._font.cache_clear()
    assert font.getname()[0] == "DejaVu Sans"
    assert "matplotlib" in str(font.path)


def test_other_scripts_take_a_font_of_the_system_where_there_is_one() -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 16)
    except OSError:
        pytest.skip("the font DejaVu Sans is not installed")
    assert font_for("красный зонт", 16).getname()[0] == "DejaVu Sans"


def test_a_character_of_no_font_is_drawn_as_a_box() -> None:
    canvas = Image.new("RGB", (60, 30), "white")
    draw_lines(canvas, ["\U00012345"], (5, 2), font_for("\U00012345", 16))
    assert (np.asarray(canvas) < 128).any()


def test_lines_stay_in_their_rows() -> None:
    canvas = Image.new("RGB", (100, 100), "white")
    draw_lines(canvas, ["Ägpj|", "Ägpj|"], (10, 20), font_for("Ägpj|", 20))
    rows = (np.asarray(canvas) < 255).any(axis=(1, 2)).nonzero()[0]
    assert rows.min() >= 20
    assert rows.max() < 20 + 2 * line_height(20)
