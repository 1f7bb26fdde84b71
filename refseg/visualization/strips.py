"""The prediction after each word of a sentence, as a strip of pictures."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization.grid import GAP, MARGIN, PAGE, Panel, paste
from refseg.visualization.legends import ActivationRange, check_lengths, legend
from refseg.visualization.overlays import TRUTH_COLOR, activity, heat, overlay
from refseg.visualization.sheets import letter_size
from refseg.visualization.text import FAINT_INK, INK, draw_lines, font_for, line_height, wrap

_BETWEEN_ROWS = 16
_BELOW_CAPTION = 4

Picture = UInt8[np.ndarray, " height width 3"]


def word_strip(
    image: UInt8[np.ndarray, " height width 3"],
    words: Sequence[str],
    probabilities: Float[np.ndarray, " words height width"],
    activations: Float[np.ndarray, " words height width"] | None = None,
    truth: Bool[np.ndarray, " height width"] | None = None,
    columns: int = 6,
    panel: int = 200,
) -> UInt8[np.ndarray, " strip_height strip_width 3"]:
    """Draw the image, and the probability of every pixel after each word of the sentence.

    With activations there is a second panel below each: what the network holds at that moment, in
    colours that span the lowest and the highest value of the whole sentence.

    Args:
        image: RGB, in its own size.
        words: as the model reads them, in their order.
        probabilities: after each word, [0, 1], in the image's size.
        activations: mean activation after each word, in the image's size.
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
    check_lengths(words, probabilities, activations)
    if columns < 1:
        raise ConfigError(f"Expected at least one column, got {columns}.")
    shown = Panel.fit(image.shape[0], image.shape[1], panel)
    small = shown.image(image)
    first = small if truth is None else overlay(small, shown.mask(truth), TRUTH_COLOR)
    above = [first, *(heat(small, shown.probability(after)) for after in probabilities)]
    span = None if activations is None else ActivationRange.of(activations)
    below: list[Picture] = []
    if activations is not None and span is not None:
        maps = (shown.probability(after) for after in activations)
        below = [activity(small, after, span.low, span.high) for after in maps]
    captions = ["image" if truth is None else "image, truth", *words]
    size = letter_size(panel)
    bands = [
        _band(
            captions[start : start + columns],
            above[start : start + columns],
            # below the image itself there is nothing to be seen, but room to say what is beside it
            below[max(0, start - 1) : start - 1 + columns],
            shown,
            panel,
            captions_faint=0 if start else 1,
        )
        for start in range(0, len(above), columns)
    ]
    width = bands[0].width
    scale = legend(size, width, span)
    height = sum(band.height + _BETWEEN_ROWS for band in bands) + scale.height
    canvas = Image.new("RGB", (2 * MARGIN + width, 2 * MARGIN + height), PAGE)
    top = MARGIN
    for band in bands:
        canvas.paste(band, (MARGIN, top))
        top += band.height + _BETWEEN_ROWS
    canvas.paste(scale, (MARGIN, top))
    return np.array(canvas)


def _band(
    captions: Sequence[str],
    above: Sequence[Picture],
    below: Sequence[Picture],
    shown: Panel,
    panel: int,
    captions_faint: int,
) -> Image.Image:
    """One row of panels under their captions, and the activations below them.

    Args:
        captions: one per panel of the upper row.
        above: the upper row.
        below: the lower row; may lack its first panel, or be empty.
        shown: size of the images.
        panel: width of a column, pixels.
        captions_faint: so many captions, the first ones, are no words of the sentence.
    """
    size = letter_size(panel)
    lines = [wrap(caption, font_for(caption, size), panel) for caption in captions]
    top = max(map(len, lines)) * line_height(size) + _BELOW_CAPTION
    lower_top = top + shown.height + GAP
    height = lower_top + shown.height if below else top + shown.height
    width = len(above) * panel + (len(above) - 1) * GAP
    band = Image.new("RGB", (width, height), PAGE)
    for column, (caption, picture) in enumerate(zip(captions, above, strict=True)):
        left = column * (panel + GAP)
        color = FAINT_INK if column < captions_faint else INK
        # Short captions stand right above their panels, beside longer ones.
        room = len(lines[column]) * line_height(size) + _BELOW_CAPTION
        draw_lines(band, lines[column], (left, top - room), font_for(caption, size), color)
        paste(band, picture, (left, top, panel, shown.height))
    missing = len(above) - len(below)
    for column, picture in enumerate(below, start=missing):
        paste(band, picture, (column * (panel + GAP), lower_top, panel, shown.height))
    if below and missing:
        label = ["mean", "activation"]
        room = len(label) * line_height(size)
        draw_lines(
            band, label, (0, lower_top + (shown.height - room) // 2), font_for("", size), FAINT_INK
        )
    return band
