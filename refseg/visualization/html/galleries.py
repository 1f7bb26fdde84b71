"""Expressions with their images and the outlines of their masks, on a web page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from refseg.visualization.grid import Panel
from refseg.visualization.html.addresses import picture_address
from refseg.visualization.html.markup import Html
from refseg.visualization.html.outline_paths import outline_path
from refseg.visualization.html.rendering import render

_QUALITY = 80

LEGEND = Html(
    '<p class="legend" aria-hidden="true">'
    '<svg viewBox="0 0 44 10"><path class="edge" d="M2,5H42"/>'
    '<path class="truth" d="M2,5H42"/></svg> truth: solid'
    '<svg viewBox="0 0 44 10"><path class="edge light" d="M2,5H42"/>'
    '<path class="prediction" d="M2,5H42"/></svg> prediction: dashed</p>'
)
"""What the lines of a gallery mean."""


@dataclass(frozen=True)
class View:
    """The prediction of one model for an expression.

    Args:
        title: of the model; empty where there is only one.
        score: how good it is, in words (`IoU 62.3 %`).
        prediction: in the image's own size; None where it is not known.
    """

    title: str
    score: str
    prediction: Bool[np.ndarray, "height width"] | None


@dataclass(frozen=True)
class Card:
    """An expression in a gallery.

    Args:
        expression: the sentence.
        image: RGB, in its own size; None where it cannot be read.
        image_name: the same for the same image, and for no other.
        truth: the true segmentation; None where it is not known.
        views: one for each model.
        facts: a line of what is known of the expression.
        row: by which a filter knows it.
    """

    expression: str
    image: UInt8[np.ndarray, "height width 3"] | None
    image_name: str
    truth: Bool[np.ndarray, "height width"] | None
    views: Sequence[View]
    facts: str
    row: int


class _Kept(NamedTuple):
    element: str
    panel: Panel
    address: str


class Album:
    """The images of a page, each of them once, however often it is shown.

    Args:
        side: of the square into which each is fitted, pixels; small ones are not enlarged.
    """

    def __init__(self, side: int = 420) -> None:
        self.side = side
        self._images: dict[str, _Kept] = {}

    def add(self, name: str, image: UInt8[np.ndarray, "height width 3"]) -> tuple[str, Panel]:
        """Keep an image.

        Args:
            name: the same for the same image.
            image: RGB.

        Returns:
            The id of its element, and the size in which it is kept.
        """
        if name not in self._images:
            height, width = image.shape[:2]
            panel = Panel.fit(height, width, min(self.side, max(height, width)))
            address = picture_address(panel.image(image), "webp", _QUALITY)
            self._images[name] = _Kept(f"image-{len(self._images)}", panel, address)
        element, panel, _ = self._images[name]
        return element, panel

    def markup(self) -> Html:
        """The element that holds them all, to be put on the page once."""
        return render("album.html", images=self._images.values())


def gallery(groups: Mapping[str, Sequence[Card]], album: Album) -> Html:
    """Lay out cards under the titles of their groups; groups without a card are left out.

    Args:
        groups: the cards by title.
        album: keeps the images.
    """
    shown = [
        (title, [_ShownCard.of(card, album) for card in cards]) for title, cards in groups.items()
    ]
    return render("gallery.html", groups=shown)


def outlined_image(
    image: UInt8[np.ndarray, "height width 3"],
    image_name: str,
    meaning: str,
    album: Album,
    truth: Bool[np.ndarray, "height width"] | None = None,
    prediction: Bool[np.ndarray, "height width"] | None = None,
) -> Html:
    """An image with the outlines of masks: the truth a solid line, the prediction a dashed one.

    Args:
        image: RGB, in its own size.
        image_name: as in `Card`.
        meaning: read out in place of the picture.
        album: keeps the image.
        truth: in the image's own size.
        prediction: in the image's own size.
    """
    element, panel = album.add(image_name, image)
    scale = panel.width / image.shape[1]
    return render(
        "outlined_image.html",
        element=element,
        panel=panel,
        meaning=meaning,
        truth="" if truth is None else outline_path(truth, scale),
        prediction="" if prediction is None else outline_path(prediction, scale),
    )


class _ShownView(NamedTuple):
    """A view as the template takes it: its picture, None where there is none, and what is said."""

    picture: Html | None
    said: str


class _ShownCard(NamedTuple):
    """A card as the template takes it."""

    expression: str
    views: list[_ShownView]
    facts: str
    row: int

    @classmethod
    def of(cls, card: Card, album: Album) -> "_ShownCard":
        return cls(
            card.expression, [_view(card, v, album) for v in card.views], card.facts, card.row
        )


def _view(card: Card, view: View, album: Album) -> _ShownView:
    said = ", ".join(filter(None, [view.title, view.score]))
    if view.prediction is None:
        said += ", prediction not known"
    elif not view.prediction.any():
        said += ", nothing predicted"
    if card.image is None:
        return _ShownView(None, said)
    meaning = f"{card.expression}: {said}"
    picture = outlined_image(
        card.image, card.image_name, meaning, album, card.truth, view.prediction
    )
    return _ShownView(picture, said)
