"""Expressions with their images and the outlines of their masks, on a web page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from refseg.visualization.grid import Panel
from refseg.visualization.html.addresses import picture_address
from refseg.visualization.html.markup import Html, attributes, escaped, unbroken
from refseg.visualization.html.outline_paths import outline_path

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
    """What one model made of an expression.

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


class Album:
    """The images of a page, each of them once, however often it is shown.

    Args:
        side: of the square into which each is fitted, pixels; small ones are not enlarged.
    """

    def __init__(self, side: int = 420) -> None:
        self.side = side
        self._images: dict[str, tuple[int, Panel, str]] = {}

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
            self._images[name] = len(self._images), panel, address
        number, panel, _ = self._images[name]
        return f"image-{number}", panel

    def markup(self) -> Html:
        """The element that holds them all, to be put on the page once."""
        images = "".join(
            f'<image id="image-{number}" width="{panel.width}" height="{panel.height}" '
            f'href="{address}"/>'
            for number, panel, address in self._images.values()
        )
        return Html(f'<svg class="album" width="0" height="0" aria-hidden="true">{images}</svg>')


def gallery(groups: Mapping[str, Sequence[Card]], album: Album) -> Html:
    """Lay out cards under the titles of their groups; groups without a card are left out.

    Args:
        groups: the cards by title.
        album: keeps the images.
    """
    parts = []
    for title, cards in groups.items():
        if not cards:
            continue
        inside = "".join(_card(card, album) for card in cards)
        views = max(len(card.views) for card in cards)
        style = f"--views: {min(views, 3)}"
        parts.append(
            f'<div class="cases"><h3>{escaped(title)}</h3>'
            f'<div class="cards"{attributes(style=style)}>{inside}</div></div>'
        )
    return Html("".join(parts))


def outlined_image(
    image: UInt8[np.ndarray, "height width 3"],
    image_name: str,
    meaning: str,
    album: Album,
    truth: Bool[np.ndarray, "height width"] | None = None,
    prediction: Bool[np.ndarray, "height width"] | None = None,
) -> str:
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
    lines = []
    for kind, mask in (("truth", truth), ("prediction", prediction)):
        path = "" if mask is None else outline_path(mask, scale)
        if path:
            edge = "edge" if kind == "truth" else "edge light"
            lines.append(f'<path class="{edge}" d="{path}"/><path class="{kind}" d="{path}"/>')
    return (
        f'<svg class="case" viewBox="0 0 {panel.width} {panel.height}" role="img"'
        f'{attributes(aria_label=meaning)}><use href="#{element}"/>{"".join(lines)}</svg>'
    )


def _card(card: Card, album: Album) -> str:
    views = "".join(_view(card, view, album) for view in card.views)
    return (
        f'<figure class="card"{attributes(data_row=card.row)}>'
        f'<figcaption dir="auto">{escaped(card.expression)}</figcaption>'
        f'<div class="views">{views}</div>'
        f'<p class="facts"><bdi>{unbroken(card.facts)}</bdi></p></figure>\n'
    )


def _view(card: Card, view: View, album: Album) -> str:
    said = ", ".join(filter(None, [view.title, view.score]))
    if view.prediction is None:
        said += ", prediction not known"
    elif not view.prediction.any():
        said += ", nothing predicted"
    meaning = f"{card.expression}: {said}"
    if card.image is None:
        picture = '<p class="absent">The image cannot be read.</p>'
    else:
        picture = outlined_image(
            card.image, card.image_name, meaning, album, card.truth, view.prediction
        )
    return f'<div class="view">{picture}<p>{unbroken(said)}</p></div>'
