"""How the prediction changes word by word, as an animation (GIF)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from refseg.errors import ConfigError
from refseg.files import replacing
from refseg.visualization.grid import BOX, GAP, MARGIN, PAGE, Panel, paste
from refseg.visualization.legends import ActivationRange, check_lengths, legend
from refseg.visualization.overlays import TRUTH_COLOR, Color, activity, heat, overlay
from refseg.visualization.sheets import letter_size
from refseg.visualization.text import FAINT_INK, INK, draw_lines, font_for, line_height

_UNREAD: Color = (178, 183, 191)
_NOW: Color = (214, 0, 98)
_BELOW = 8


def word_frames(
    image: UInt8[np.ndarray, " height width 3"],
    words: Sequence[str],
    probabilities: Float[np.ndarray, " words height width"],
    activations: Float[np.ndarray, " words height width"],
    truth: Bool[np.ndarray, " height width"] | None = None,
    panel: int = 300,
) -> list[UInt8[np.ndarray, " frame_height frame_width 3"]]:
    """Draw a frame per word: the sentence so far, the prediction and the mean activation.

    Args:
        image: RGB, in its own size.
        words: as the model reads them, in their order.
        probabilities: after each word, [0, 1], in the image's size.
        activations: mean activation after each word, in the image's size.
        truth: the true segmentation, shown over the image.
        panel: side of the square into which the image is fitted, pixels.

    Raises:
        ConfigError: The numbers of words and maps differ.

    Example:
        >>> image = np.zeros((30, 40, 3), dtype=np.uint8)
        >>> maps = np.random.default_rng(0).random((2, 30, 40))
        >>> frames = word_frames(image, ["left", "star"], maps, maps, panel=100)
        >>> len(frames), frames[0].shape == frames[1].shape
        (2, True)
    """
    check_lengths(words, probabilities, activations)
    shown = Panel.fit(image.shape[0], image.shape[1], panel)
    small = shown.image(image)
    first = small if truth is None else overlay(small, shown.mask(truth), TRUTH_COLOR)
    span = ActivationRange.of(activations)
    headings = ["image" if truth is None else "image, truth", "prediction", "mean activation"]
    frames = []
    for number, (probability, activation) in enumerate(
        zip(probabilities, activations, strict=True)
    ):
        pictures = [
            first,
            heat(small, shown.probability(probability)),
            activity(small, shown.probability(activation), span.low, span.high),
        ]
        frames.append(_frame(words, number, headings, pictures, shown, panel, span))
    return frames


def write_gif(
    path: Path,
    frames: Sequence[UInt8[np.ndarray, " height width 3"]],
    seconds: float = 0.9,
    last_seconds: float = 2.5,
) -> None:
    """Write frames as an animated GIF that begins again, which appears whole or not at all.

    Args:
        path: of the file; folders above it are made.
        frames: at least one, of one size.
        seconds: how long a frame is shown.
        last_seconds: how long the last one is.

    Raises:
        ConfigError: There is no frame.
    """
    if not frames:
        raise ConfigError("Expected at least one frame for an animation, got none.")
    palette = _palette(frames)
    pictures = [Image.fromarray(frame).quantize(palette=palette) for frame in frames]
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * last_seconds)]
    with replacing(path) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
            optimize=False,
        )


def _palette(frames: Sequence[UInt8[np.ndarray, " height width 3"]]) -> Image.Image:
    """256 colours for all frames, so that what stays does not flicker; those of text are exact."""
    fixed = [PAGE, BOX, INK, FAINT_INK, _UNREAD, _NOW]
    together = Image.fromarray(np.concatenate([frame[::2, ::2] for frame in frames]))
    chosen = together.quantize(256 - len(fixed), method=Image.Quantize.MAXCOVERAGE).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(level for color in fixed for level in color), *(chosen or [])])
    return palette


def _frame(
    words: Sequence[str],
    number: int,
    headings: Sequence[str],
    pictures: Sequence[UInt8[np.ndarray, " height width 3"]],
    shown: Panel,
    panel: int,
    span: ActivationRange,
) -> UInt8[np.ndarray, " frame_height frame_width 3"]:
    size = letter_size(panel)
    width = len(pictures) * panel + (len(pictures) - 1) * GAP
    sentence = _sentence(words, number, round(1.35 * size), width)
    scale = legend(size, width, span)
    below_sentence = MARGIN + sentence.height + _BELOW
    below_headings = below_sentence + line_height(size)
    below_panels = below_headings + shown.height + 2 * _BELOW
    height = below_panels + scale.height + MARGIN
    canvas = Image.new("RGB", (2 * MARGIN + width, height), PAGE)
    canvas.paste(sentence, (MARGIN, MARGIN))
    for column, (heading, picture) in enumerate(zip(headings, pictures, strict=True)):
        left = MARGIN + column * (panel + GAP)
        draw_lines(canvas, [heading], (left, below_sentence), font_for(heading, size), FAINT_INK)
        paste(canvas, picture, (left, below_headings, panel, shown.height))
    canvas.paste(scale, (MARGIN, below_panels))
    return np.array(canvas)


def _sentence(words: Sequence[str], number: int, size: int, width: int) -> Image.Image:
    """The sentence: what is read, the word that is being read, and, pale, what is to come."""
    font = font_for(" ".join(words), size)
    space = font.getlength(" ")
    places: list[tuple[float, int]] = []
    left, line = 0.0, 0
    for word in words:
        if left and left + font.getlength(word) > width:
            left, line = 0.0, line + 1
        places.append((left, line))
        left += font.getlength(word) + space
    picture = Image.new("RGB", (width, (line + 1) * line_height(size)), PAGE)
    draw = ImageDraw.Draw(picture)
    for index, (word, (left, line)) in enumerate(zip(words, places, strict=True)):
        color = _NOW if index == number else INK if index < number else _UNREAD
        baseline = line * line_height(size) + size
        draw.text((left, baseline), word, fill=color, font=font, anchor="ls")
        if index == number:
            under = baseline + max(2, size // 8)
            right = left + font.getlength(word)
            draw.line((left, under, right, under), fill=color, width=max(1, size // 12))
    return picture
