"""The prediction after each word of one sentence, as a page with a button for each word."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from refseg.visualization.grid import Panel
from refseg.visualization.html.addresses import ShownPicture, picture_address, shown_picture
from refseg.visualization.html.rendering import render
from refseg.visualization.legends import ActivationRange, check_lengths
from refseg.visualization.overlays import (
    TRUTH_COLOR,
    activity,
    activity_scale,
    heat,
    heat_scale,
    overlay,
)


def word_page(
    image: UInt8[np.ndarray, " height width 3"],
    words: Sequence[str],
    probabilities: Float[np.ndarray, " words height width"],
    activations: Float[np.ndarray, " words height width"],
    truth: Bool[np.ndarray, " height width"] | None = None,
    side: int = 560,
) -> str:
    """Make an HTML page on which the words of a sentence are buttons that show what was read.

    The page is one file: it loads nothing, neither from the disk nor from the network.

    Args:
        image: RGB, in its own size.
        words: as the model reads them, in their order; at least one.
        probabilities: after each word, [0, 1], in the image's size.
        activations: mean activation after each word, in the image's size.
        truth: the true segmentation, shown over the image.
        side: of the square into which the image is fitted, pixels.

    Raises:
        ConfigError: The numbers of words and maps differ.
    """
    check_lengths(words, probabilities, activations)
    shown = Panel.fit(image.shape[0], image.shape[1], side)
    small = shown.image(image)
    first = small if truth is None else overlay(small, shown.mask(truth), TRUTH_COLOR)
    span = ActivationRange.of(activations)
    steps = [
        _ShownStep(
            f'after "{" ".join(words[: number + 1])}"',
            shown_picture(heat(small, shown.probability(probabilities[number]))),
            shown_picture(
                activity(small, shown.probability(activations[number]), span.low, span.high)
            ),
            f"{(probabilities[number] > 0.5).mean():.1%}",
        )
        for number in range(len(words))
    ]
    page = render(
        "word_page.html",
        words=words,
        image=shown_picture(first),
        truth=truth,
        steps=steps,
        heat_scale=picture_address(heat_scale(12, 160)),
        activity_scale=picture_address(activity_scale(12, 160)),
        low=f"{span.low:.2f}",
        high=f"{span.high:.2f}",
    )
    return page.markup + "\n"


class _ShownStep(NamedTuple):
    """What is shown after a word: two pictures, and the share of the image that is predicted."""

    read: str
    prediction: ShownPicture
    activation: ShownPicture
    area: str
