"""The prediction after each word of sentences, as strips on a web page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from refseg.visualization.grid import Panel
from refseg.visualization.html.addresses import ShownPicture, picture_address, shown_picture
from refseg.visualization.html.galleries import Album, outlined_image
from refseg.visualization.html.markup import Html
from refseg.visualization.html.rendering import render
from refseg.visualization.legends import ActivationRange, check_lengths
from refseg.visualization.overlays import activity, activity_scale, heat, heat_scale

_SIDE = 180
_QUALITY = 80


@dataclass(frozen=True)
class ReadCard:
    """A sentence with the predictions after each of its words.

    Args:
        expression: the sentence.
        image: RGB, in its own size.
        image_name: the same for the same image, and for no other.
        truth: the true segmentation; None where it is not known.
        words: as the model cuts the sentence.
        probabilities: after each word, in the image's own size, [0, 1].
        activations: mean activation of the cells after each word, in the image's own size.
        row: by which a filter knows it.
    """

    expression: str
    image: UInt8[np.ndarray, "height width 3"]
    image_name: str
    truth: Bool[np.ndarray, "height width"] | None
    words: Sequence[str]
    probabilities: Float[np.ndarray, "words height width"]
    activations: Float[np.ndarray, "words height width"]
    row: int


def word_strips(cards: Sequence[ReadCard], album: Album) -> Html:
    """Draw each sentence as a row of pictures: the image, and what is predicted after each word.

    Below each prediction is what the cells hold, in colours that span the lowest and the highest
    value of the whole sentence. Rows break where the page is narrow.

    Args:
        cards: the sentences.
        album: keeps the images.

    Raises:
        ConfigError: the numbers of words and maps of a sentence differ.
    """
    return render(
        "readings.html",
        heat_scale=picture_address(heat_scale(10, 120)),
        activity_scale=picture_address(activity_scale(10, 120)),
        sentences=[_ShownSentence.of(card, album) for card in cards],
    )


class _ShownStep(NamedTuple):
    """What is shown below a word: two pictures, and how good the prediction is."""

    word: str
    read: str
    upper: ShownPicture
    lower: ShownPicture
    said: str


class _ShownSentence(NamedTuple):
    """A sentence as the template takes it."""

    expression: str
    whole: Html
    whole_caption: str
    steps: list[_ShownStep]
    row: int

    @classmethod
    def of(cls, card: ReadCard, album: Album) -> "_ShownSentence":
        truth = "" if card.truth is None else ", truth"
        meaning = f"{card.expression}: the image{truth}"
        whole = outlined_image(card.image, card.image_name, meaning, album, card.truth)
        return cls(card.expression, whole, f"image{truth}", _steps(card), card.row)


def _steps(card: ReadCard) -> list[_ShownStep]:
    check_lengths(card.words, card.probabilities, card.activations)
    span = ActivationRange.of(card.activations)
    height, width = card.image.shape[:2]
    panel = Panel.fit(height, width, _SIDE)
    small = panel.image(card.image)
    steps = []
    for number, word in enumerate(card.words):
        probability, activation = card.probabilities[number], card.activations[number]
        upper = heat(small, panel.probability(probability))
        lower = activity(small, panel.probability(activation), span.low, span.high)
        steps.append(
            _ShownStep(
                word,
                f"after “{' '.join(card.words[: number + 1])}”",
                shown_picture(upper, "webp", _QUALITY),
                shown_picture(lower, "webp", _QUALITY),
                _said(probability > 0.5, card.truth),
            )
        )
    return steps


def _said(
    prediction: Bool[np.ndarray, " height width"], truth: Bool[np.ndarray, " height width"] | None
) -> str:
    """How good a prediction is; without truth, how large."""
    if truth is None:
        return f"{prediction.mean():.1%} of the image"
    union = int((prediction | truth).sum())
    return f"IoU {100 * int((prediction & truth).sum()) / union if union else 100:.1f} %"
