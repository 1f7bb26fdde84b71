"""Sheets of examples: image, truth and prediction side by side, under the sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization.grid import GAP, MARGIN, PAGE, Panel, paste
from refseg.visualization.overlays import PREDICTION_COLOR, TRUTH_COLOR, overlay
from refseg.visualization.text import FAINT_INK, INK, draw_lines, font_for, line_height, wrap

_BETWEEN_EXAMPLES = 28
_BELOW_CAPTION = 6
_BELOW_HEADING = 14


@dataclass
class Example:
    """One expression with the model's prediction.

    Args:
        image: RGB, in its own size.
        expression: the sentence.
        prediction: in the image's size.
        truth: the true segmentation, or None where it is not known.
        iou: of prediction and truth, or None to show none.
    """

    image: UInt8[np.ndarray, "height width 3"]
    expression: str
    prediction: Bool[np.ndarray, "height width"]
    truth: Bool[np.ndarray, "height width"] | None = None
    iou: float | None = None


def example_sheet(
    examples: Sequence[Example], columns: int = 2, panel: int = 240
) -> UInt8[np.ndarray, " height width 3"]:
    """Draw examples in a grid, each as image, truth and prediction under its sentence and IoU.

    Images keep their proportions. Without any truth, the panels are image and prediction.

    Args:
        examples: in reading order; sizes may differ.
        columns: examples side by side.
        panel: side of the square into which every image is fitted, pixels; letters grow with it.

    Raises:
        ConfigError: There is no example, or no column.

    Example:
        >>> image = np.zeros((48, 64, 3), dtype=np.uint8)
        >>> example = Example(image, "the dark one", prediction=np.ones((48, 64), dtype=bool))
        >>> sheet = example_sheet([example], columns=1, panel=120)
        >>> sheet.dtype, sheet.shape[1] == 20 + 120 + 8 + 120 + 20
        (dtype('uint8'), True)
    """
    if not examples or columns < 1:
        raise ConfigError(
            f"Expected at least one example and one column to draw, got {len(examples)} examples "
            f"and {columns} columns."
        )
    columns = min(columns, len(examples))
    with_truth = any(example.truth is not None for example in examples)
    blocks = [_Block(example, panel, with_truth) for example in examples]
    rows = [blocks[start : start + columns] for start in range(0, len(blocks), columns)]
    block_width = blocks[0].width
    width = 2 * MARGIN + columns * block_width + (columns - 1) * _BETWEEN_EXAMPLES
    size = letter_size(panel)
    heading = line_height(size) + _BELOW_HEADING
    heights = [
        max(block.caption_height for block in row) + max(block.shown.height for block in row)
        for row in rows
    ]
    height = 2 * MARGIN + heading + sum(heights) + (len(rows) - 1) * _BETWEEN_EXAMPLES
    canvas = Image.new("RGB", (width, height), PAGE)
    lefts = [MARGIN + column * (block_width + _BETWEEN_EXAMPLES) for column in range(columns)]
    for block, left in zip(rows[0], lefts, strict=True):
        block.draw_heading(canvas, left, MARGIN)
    top = MARGIN + heading
    for row, row_height in zip(rows, heights, strict=True):
        caption_height = max(block.caption_height for block in row)
        for block, left in zip(row, lefts, strict=False):  # the last row may be shorter
            block.draw(canvas, left, top + caption_height, row_height - caption_height)
        top += row_height + _BETWEEN_EXAMPLES
    return np.array(canvas)


def letter_size(panel: int) -> int:
    """Return the size of letters that suits panels of a width, in pixels."""
    return max(14, round(panel / 14))


class _Block:
    """One example on a sheet: caption lines above two or three panels."""

    def __init__(self, example: Example, panel: int, with_truth: bool) -> None:
        self.panel, self.size = panel, letter_size(panel)
        self.shown = Panel.fit(example.image.shape[0], example.image.shape[1], panel)
        image = self.shown.image(example.image)
        prediction = overlay(image, self.shown.mask(example.prediction))
        truth = None
        if example.truth is not None:
            truth = overlay(image, self.shown.mask(example.truth), TRUTH_COLOR)
        self.pictures = [image, truth, prediction] if with_truth else [image, prediction]
        self.headings = [("image", INK), ("truth", TRUTH_COLOR), ("prediction", PREDICTION_COLOR)]
        if not with_truth:
            del self.headings[1]
        self.width = len(self.pictures) * panel + (len(self.pictures) - 1) * GAP
        self.iou = "" if example.iou is None else f"IoU {example.iou:.2f}"
        self.font = font_for(example.expression, self.size)
        self.iou_font = font_for(self.iou, self.size)
        self.iou_width = round(self.iou_font.getlength(self.iou))
        beside_iou = self.width - self.iou_width - self.size
        self.lines = wrap(example.expression, self.font, self.width, beside_iou)
        self.caption_height = len(self.lines) * line_height(self.size) + _BELOW_CAPTION

    def draw_heading(self, canvas: Image.Image, left: int, top: int) -> None:
        """Say above the panels what they are, with the colour of their masks."""
        font = font_for("", self.size)
        square = round(0.6 * self.size)
        for number, (name, color) in enumerate(self.headings):
            start = left + number * (self.panel + GAP)
            if color != INK:
                baseline = top + self.size
                canvas.paste(color, (start, baseline - square, start + square, baseline))
                start += square + GAP
            draw_lines(canvas, [name], (start, top), font, FAINT_INK)

    def draw(self, canvas: Image.Image, left: int, top: int, height: int) -> None:
        """Draw the panels into boxes of one height from `top` on, and the caption right above."""
        caption_top = top - self.caption_height
        draw_lines(canvas, self.lines, (left, caption_top), self.font)
        iou_left = left + self.width - self.iou_width
        draw_lines(canvas, [self.iou], (iou_left, caption_top), self.iou_font, FAINT_INK)
        for number, picture in enumerate(self.pictures):
            box = (left + number * (self.panel + GAP), top, self.panel, height)
            paste(canvas, picture, box)
            if picture is None:
                place = (box[0] + self.size, top + self.size)
                draw_lines(canvas, ["not known"], place, font_for("", self.size), FAINT_INK)
