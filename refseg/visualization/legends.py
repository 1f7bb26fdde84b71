"""Colour scales below pictures of predictions and activations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization.grid import GAP, PAGE
from refseg.visualization.overlays import activity_scale, heat_scale
from refseg.visualization.text import FAINT_INK, draw_lines, font_for, line_height


@dataclass(frozen=True)
class ActivationRange:
    """The lowest and the highest activation of a reading: one scale for all its words.

    Args:
        low: drawn in dark blue.
        high: drawn in yellow.
    """

    low: float
    high: float

    @classmethod
    def of(cls, activations: Float[np.ndarray, " words height width"]) -> "ActivationRange":
        """From the least to the greatest value; 0 to 0 where there is none."""
        if not activations.size:
            return cls(0.0, 0.0)
        return cls(float(activations.min()), float(activations.max()))


def check_lengths(words: Sequence[str], *maps: Float[np.ndarray, " _ _ _"] | None) -> None:
    """Make sure that there is one map per word.

    Raises:
        ConfigError: there is not.
    """
    counts = [len(each) for each in maps if each is not None]
    if any(count != len(words) for count in counts):
        got = " and ".join(f"{count} maps" for count in counts)
        raise ConfigError(f"Expected one map per word, got {len(words)} words, {got}.")


def legend(size: int, width: int, activations: ActivationRange | None = None) -> Image.Image:
    """A scale of probability, what the outline means, and a scale of the activations.

    Args:
        size: of the letters, pixels.
        width: of the legend, pixels; takes as many lines as it needs.
        activations: what the second scale spans; None leaves it out.
    """
    parts = [_scale("probability  0", heat_scale, "1", "white outline: above 0.5", size, width)]
    if activations is not None:
        low, high = f"{activations.low:.2f}", f"{activations.high:.2f}"
        parts.append(_scale(f"mean activation  {low}", activity_scale, high, "", size, width))
    result = Image.new("RGB", (width, sum(part.height for part in parts)), PAGE)
    top = 0
    for part in parts:
        result.paste(part, (0, top))
        top += part.height
    return result


def _scale(
    before: str,
    draw_scale: Callable[[int, int], np.ndarray],
    after: str,
    text: str,
    size: int,
    width: int,
) -> Image.Image:
    """A scale between its two ends, and a text beside it, or below it where it is narrow."""
    font = font_for(before + after + text, size)
    bar_width = min(width // 3, 8 * size)
    bar_left = round(font.getlength(before)) + GAP
    after_left = bar_left + bar_width + GAP
    text_left = after_left + round(font.getlength(after)) + 2 * size
    beside = text_left + font.getlength(text) <= width
    lines = 1 if beside else 2
    picture = Image.new("RGB", (width, lines * line_height(size)), PAGE)
    scale = draw_scale(round(0.75 * size), bar_width)
    draw_lines(picture, [before], (0, 0), font, FAINT_INK)
    picture.paste(Image.fromarray(scale), (bar_left, size - len(scale)))
    draw_lines(picture, [after], (after_left, 0), font, FAINT_INK)
    draw_lines(
        picture, [text], (text_left, 0) if beside else (0, line_height(size)), font, FAINT_INK
    )
    return picture
