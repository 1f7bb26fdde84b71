"""How a model reads, as a page to look at word by word in a browser."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
from jaxtyping import Bool, Float, UInt8

from refseg.visualization.grid import Panel
from refseg.visualization.html.addresses import picture_address
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
        _step(
            " ".join(words[: number + 1]),
            heat(small, shown.probability(probabilities[number])),
            activity(small, shown.probability(activations[number]), span.low, span.high),
            (probabilities[number] > 0.5).mean(),
        )
        for number in range(len(words))
    ]
    template = Template(files(__package__).joinpath("word_page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(" ".join(words)),
        words="\n".join(_button(number, word) for number, word in enumerate(words)),
        image=_figure("image" if truth is None else "image, truth", first, "The image"),
        steps="\n".join(steps),
        heat_scale=picture_address(heat_scale(12, 160)),
        activity_scale=picture_address(activity_scale(12, 160)),
        low=f"{span.low:.2f}",
        high=f"{span.high:.2f}",
    )


def _button(number: int, word: str) -> str:
    return f'<button type="button" data-step="{number}">{escape(word)}</button>'


def _step(
    read: str,
    prediction: UInt8[np.ndarray, " height width 3"],
    activation: UInt8[np.ndarray, " height width 3"],
    area: float,
) -> str:
    after = f'after "{read}"'
    return "\n".join(
        [
            '<div class="step" hidden>',
            _figure(f"prediction · {area:.1%} of the image", prediction, f"Prediction {after}"),
            _figure("mean activation", activation, f"Mean activation {after}"),
            "</div>",
        ]
    )


def _figure(caption: str, picture: UInt8[np.ndarray, " height width 3"], meaning: str) -> str:
    height, width = picture.shape[:2]
    source = picture_address(picture)
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<img src="{source}" width="{width}" height="{height}" alt="{escape(meaning)}"></figure>'
    )
