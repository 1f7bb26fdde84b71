"""How a model reads: its prediction after each word of a sentence."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization.grid import GAP, MARGIN, PAGE, Panel, paste
from refseg.visualization.overlays import TRUTH_COLOR, heat, heat_scale, overlay
from refseg.visualization.sheets import letter_size
from refseg.visualization.text import FAINT_INK, INK, draw_lines, font_for, line_height, wrap

_BETWEEN_ROWS = 16
_BELOW_CAPTION = 4


def word_strip(
    image: UInt8[np.ndarray, " height width 3"],
    words: Sequence[str],
    probabilities: Float[np.ndarray, " words height width"],
    truth: Bool[np.ndarray, " height width"] | None = None,
    columns: int = 6,
    panel: int = 200,
) -> UInt8[np.ndarray, " strip_height strip_width 3"]:
    """Draw the image, and the probability of every pixel after each word of the sentence.

    Args:
        image: RGB, in its own size.
        words: as the model reads them, in their order.
        probabilities: after each word, [0, 1], in the image's size.
        truth: the true segmentation, shown in the first panel.
        columns: panels in a row; the strip continues in the next one.
        panel: side of the square into which the image is fitted, pixels.

    Raises:
        ConfigError: The numbers of words and maps differ, or there is no column.

    Example:
        >>> image = np.zeros((30, 40, 3), dtype=np.uint8)
        >>> probabilities = np.random.default_rng(0).random((2, 30, 40))
        >>> strip = word_strip(image, ["left", "star"], probabilities, panel=100)
        >>> strip.shape[1] == 20 + 100 + 8 + 100 + 8 + 100 + 20
        True
    """
    if len(words) != len(probabilities) or columns < 1:
        raise ConfigError(
            f"Expected one map of probabilities per word and at least one column, got {len(words)} "
            f"words, {len(probabilities)} maps and {columns} columns."
        )
    shown = Panel.fit(image.shape[0], image.shape[1], panel)
    small = shown.image(image)
    first = small if truth is None else overlay(small, shown.mask(truth), TRUTH_COLOR)
    pictures = [first, *(heat(small, shown.probability(after)) for after in probabilities)]
    size = letter_size(panel)
    captions = ["image" if truth is None else "image, truth", *words]
    lines = [wrap(caption, font_for(caption, size), panel) for caption in captions]

    columns = min(columns, len(pictures))
    starts = range(0, len(pictures), columns)
    caption_heights = [
        max(map(len, lines[start : start + columns])) * line_height(size) + _BELOW_CAPTION
        for start in starts
    ]
    width = 2 * MARGIN + columns * panel + (columns - 1) * GAP
    legend = _legend(size, width - 2 * MARGIN)
    rows_height = sum(caption_heights) + len(starts) * (shown.height + _BETWEEN_ROWS)
    canvas = Image.new("RGB", (width, 2 * MARGIN + rows_height + legend.height), PAGE)
    top = MARGIN
    for start, caption_height in zip(starts, caption_heights, strict=True):
        for number in range(start, min(start + columns, len(pictures))):
            left = MARGIN + (number - start) * (panel + GAP)
            color = INK if number else FAINT_INK
            font = font_for(captions[number], size)
            # Short captions stand right above their panels, beside longer ones.
            above = len(lines[number]) * line_height(size) + _BELOW_CAPTION
            draw_lines(canvas, lines[number], (left, top + caption_height - above), font, color)
            box = (left, top + caption_height, panel, shown.height)
            paste(canvas, pictures[number], box)
        top += caption_height + shown.height + _BETWEEN_ROWS
    canvas.paste(legend, (MARGIN, top))
    return np.array(canvas)


def _legend(size: int, width: int) -> Image.Image:
    """A scale from 0 to 1, and what the outline means, in as many lines as the width needs."""
    font = font_for("", size)
    bar_width = min(width // 3, 8 * size)
    before, after = "probability  0", "1"
    bar_left = round(font.getlength(before)) + GAP
    after_left = bar_left + bar_width + GAP
    text_left = after_left + round(font.getlength(after)) + 2 * size
    text = "white outline: above 0.5"
    beside = text_left + font.getlength(text) <= width
    lines = 1 if beside else 2
    legend = Image.new("RGB", (width, lines * line_height(size)), PAGE)
    scale = heat_scale(round(0.75 * size), bar_width)
    draw_lines(legend, [before], (0, 0), font, FAINT_INK)
    legend.paste(Image.fromarray(scale), (bar_left, size - len(scale)))
    draw_lines(legend, [after], (after_left, 0), font, FAINT_INK)
    place = (text_left, 0) if beside else (0, line_height(size))
    draw_lines(legend, [text], place, font, FAINT_INK)
    return legend
