"""Contact sheets: images with the outlines of the objects that sentences name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw

from refseg.errors import ConfigError
from refseg.visualization.grid import BOX, MARGIN, PAGE, Panel
from refseg.visualization.outlines import outlined
from refseg.visualization.overlays import Color
from refseg.visualization.text import FAINT_INK, INK, draw_lines, font_for, line_height, wrap

OBJECT_COLORS: tuple[Color, ...] = (
    (255, 30, 136),
    (0, 190, 170),
    (255, 149, 0),
    (88, 101, 242),
    (150, 200, 0),
    (190, 70, 230),
)
"""One for each object of an image, told apart from one another and from most photographs."""

_BETWEEN = 24
_LETTERS = 15
_LINE = 5
_NO_IMAGE = "the image is absent or broken"


@dataclass
class NamedObject:
    """What sentences name in an image.

    Args:
        sentences: all that name it.
        mask: in the image's size; empty where the sentences name nothing.
        is_box: only a box was published, and the mask is the filled box.
        marked: which sentences to print dark, the others grey; all by default.
    """

    sentences: Sequence[str]
    mask: Bool[np.ndarray, "height width"]
    is_box: bool = False
    marked: Sequence[bool] = ()


@dataclass
class AnnotatedImage:
    """One image of a contact sheet.

    Args:
        image: RGB, in its own size; None where the file is absent or broken.
        objects: what is named in it; at most as many as `OBJECT_COLORS` are drawn.
        name: how to find it again, such as its file name.
        more: number of further objects that are not shown.
    """

    image: UInt8[np.ndarray, "height width 3"] | None
    objects: Sequence[NamedObject]
    name: str = ""
    more: int = 0


def contact_sheet(
    images: Sequence[AnnotatedImage], title: str = "", columns: int = 3, panel: int = 400
) -> UInt8[np.ndarray, " sheet_height sheet_width 3"]:
    """Draw images in columns, each with the outlines of its objects above their sentences.

    Images keep their proportions. They stand in columns without holes, the tallest first, so that
    the columns end at about the same height.

    Args:
        images: images with what is named in them.
        title: printed above.
        columns: images side by side.
        panel: width of a column, pixels; no image is higher than 1.25 times this.

    Raises:
        ConfigError: There is no image, or no column.

    Example:
        >>> mask = np.zeros((48, 64), dtype=bool)
        >>> mask[10:20, 10:30] = True
        >>> black = np.zeros((48, 64, 3), dtype=np.uint8)
        >>> one = AnnotatedImage(black, [NamedObject(["the box"], mask)])
        >>> contact_sheet([one, one], columns=2, panel=200).shape[1] == 20 + 200 + 24 + 200 + 20
        True
    """
    if not images or columns < 1:
        raise ConfigError(
            f"Expected at least one image and one column to draw, got {len(images)} images and "
            f"{columns} columns."
        )
    columns = min(columns, len(images))
    cells = [_cell(annotated, panel) for annotated in images]
    cells.sort(key=lambda cell: -cell.height)
    width = 2 * MARGIN + columns * panel + (columns - 1) * _BETWEEN
    font = font_for(title, _LETTERS + 3)
    lines = wrap(title, font, width - 2 * MARGIN) if title else []
    heading = len(lines) * line_height(_LETTERS + 3) + (12 if lines else 0)
    bottoms = [MARGIN + heading] * columns
    places = []
    for cell in cells:
        column = int(np.argmin(bottoms))
        places.append((MARGIN + column * (panel + _BETWEEN), bottoms[column]))
        bottoms[column] += cell.height + _BETWEEN
    canvas = Image.new("RGB", (width, max(bottoms) - _BETWEEN + MARGIN), PAGE)
    draw_lines(canvas, lines, (MARGIN, MARGIN), font)
    for cell, place in zip(cells, places, strict=True):
        canvas.paste(cell, place)
    return np.array(canvas)


def _cell(annotated: AnnotatedImage, panel: int) -> Image.Image:
    """One image above its sentences."""
    picture = _picture(annotated, panel)
    captions = [
        _caption(one, color, panel)
        for one, color in zip(annotated.objects, OBJECT_COLORS, strict=False)
    ]
    below = annotated.name
    if any(one.is_box for one in annotated.objects):
        below += "  ·  dashed: box, no mask"
    if annotated.more:
        below += f"  ·  {annotated.more} more {'object' if annotated.more == 1 else 'objects'}"
    footer = _text([(below, FAINT_INK)], panel, size=_LETTERS - 3)
    parts = [picture, *captions, footer]
    canvas = Image.new("RGB", (panel, sum(part.height for part in parts) + 6 * len(parts)), PAGE)
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height + 6
    return canvas


def _picture(annotated: AnnotatedImage, panel: int) -> Image.Image:
    mask = annotated.objects[0].mask
    height, width = mask.shape if annotated.image is None else annotated.image.shape[:2]
    scale = min(panel / width, 1.25 * panel / height)
    shown = Panel(max(1, round(height * scale)), max(1, round(width * scale)))
    # Drawn in twice the size and then shrunk: outlines become smooth.
    large = Panel(2 * shown.height, 2 * shown.width)
    if annotated.image is None:
        picture = np.full((large.height, large.width, 3), BOX, np.uint8)
    else:
        picture = large.image(annotated.image)
    for one, color in zip(annotated.objects, OBJECT_COLORS, strict=False):
        mask = large.mask(one.mask)
        picture = outlined(picture, mask, color, width=_LINE, dashed=one.is_box)
    canvas = Image.new("RGB", (panel, shown.height), BOX)
    canvas.paste(Image.fromarray(shown.image(picture)), ((panel - shown.width) // 2, 0))
    if annotated.image is None:
        canvas.paste(_text([(_NO_IMAGE, FAINT_INK)], panel), (0, 0))
    return canvas


def _caption(one: NamedObject, color: Color, panel: int) -> Image.Image:
    """The sentences of an object beside a square of its colour."""
    indent = round(1.5 * _LETTERS)
    marked = one.marked or [True] * len(one.sentences)
    sentences = [
        (sentence, INK if dark else FAINT_INK)
        for sentence, dark in zip(one.sentences, marked, strict=True)
    ]
    if not one.mask.any():
        sentences.append(("(names nothing here)", FAINT_INK))
    text = _text(sentences, panel - indent)
    canvas = Image.new("RGB", (panel, text.height), PAGE)
    canvas.paste(text, (indent, 0))
    side = round(0.8 * _LETTERS)
    corners = (0, _LETTERS - side, side, _LETTERS)
    draw = ImageDraw.Draw(canvas)
    if one.mask.any():
        draw.rectangle(corners, fill=None if one.is_box else color, outline=color, width=2)
    else:
        draw.ellipse(corners, outline=FAINT_INK, width=2)
    return canvas


def _text(parts: Sequence[tuple[str, Color]], width: int, size: int = _LETTERS) -> Image.Image:
    """Texts below one another, each wrapped, and the further lines of one indented."""
    hanging = size // 2
    lines: list[tuple[str, int, Color]] = []
    for text, color in parts:
        wrapped = wrap(text, font_for(text, size), width - hanging, first_width=width)
        lines += [(line, hanging if number else 0, color) for number, line in enumerate(wrapped)]
    canvas = Image.new("RGB", (width, len(lines) * line_height(size)), PAGE)
    for number, (line, left, color) in enumerate(lines):
        place = (left, number * line_height(size))
        draw_lines(canvas, [line], place, font_for(line, size), color)
    return canvas
