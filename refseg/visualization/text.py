"""Text in pictures: fonts, wrapping and drawing."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from refseg.visualization.overlays import Color

INK: Color = (28, 30, 34)
FAINT_INK: Color = (104, 109, 118)

# Pillow's own font knows little beyond ASCII. For the rest, the first of these that is found and
# has all characters: DejaVu comes with matplotlib, the others with one system or another.
_FALLBACKS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "segoeui.ttf",
    "msyh.ttc",
    "malgun.ttf",
)
_NO_CHARACTER = "\U0010ffff"  # by definition in no font: draws the box that means "missing"

Font = ImageFont.FreeTypeFont


@lru_cache
def font_for(text: str, size: int) -> Font:
    """Return the first font that has all characters of a text, else the one that lacks the fewest.

    Args:
        text: what is to be drawn; several lines are fine.
        size: of the font, pixels.
    """
    characters = {character for character in text if not character.isspace()}
    fewest, best = len(characters) + 1, None
    for name in (None, *_FALLBACKS):
        font = _font(name, size)
        missing = sum(not _has(font, character) for character in characters) if font else fewest
        if missing < fewest:
            fewest, best = missing, font
        if not fewest:
            break
    assert best is not None  # Pillow's own font always exists and lacks at most all characters
    return best


def line_height(size: int) -> int:
    """Return the distance from line to line, for a font of `size` pixels."""
    return round(1.35 * size)


def wrap(text: str, font: Font, width: int, first_width: int | None = None) -> list[str]:
    """Break a text into lines that are at most `width` pixels wide.

    Lines break at spaces; a word wider than a line, and scripts without spaces, break anywhere.

    Args:
        text: any white space counts as one space.
        font: the lines are measured with.
        width: of a line, pixels.
        first_width: of the first line, where something stands beside it.
    """
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(joined) <= _limit(lines, width, first_width):
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > _limit(
                lines, width, first_width
            ):
                lines.append("")
            lines[-1] += character
    return lines


def draw_lines(
    canvas: Image.Image,
    lines: Sequence[str],
    position: tuple[int, int],
    font: Font,
    color: Color = INK,
) -> None:
    """Draw lines of text below each other.

    Args:
        canvas: drawn upon.
        lines: as `wrap` returns them.
        position: left and top of the first line, pixels.
        font: see `font_for`.
        color: of the letters.
    """
    draw = ImageDraw.Draw(canvas)
    left, top = position
    size = round(font.size)
    for number, line in enumerate(lines):
        # Anchored at the baseline: the lines of different fonts keep step.
        baseline = top + number * line_height(size) + size
        draw.text((left, baseline), line, fill=color, font=font, anchor="ls")


def _limit(lines: list[str], width: int, first_width: int | None) -> int:
    return first_width if first_width is not None and len(lines) == 1 else width


@lru_cache
def _font(name: str | None, size: int) -> Font | None:
    if name is None:
        font = ImageFont.load_default(size)
        return font if isinstance(font, Font) else None
    candidates: list[str | Path] = [name, *(folder / name for folder in _matplotlib_fonts())]
    for path in candidates:
        try:
            return ImageFont.truetype(path, size)
        except OSError:
            continue
    return None


@lru_cache
def _matplotlib_fonts() -> tuple[Path, ...]:
    specification = find_spec("matplotlib")  # finds the package without importing it
    places = specification.submodule_search_locations if specification else None
    return tuple(Path(place, "mpl-data", "fonts", "ttf") for place in places or ())


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    missing, drawn = font.getmask(_NO_CHARACTER), font.getmask(character)
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))
