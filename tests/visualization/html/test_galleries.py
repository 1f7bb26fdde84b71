"""Cards with images and outlines."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from refseg.visualization.html.galleries import Album, Card, View, gallery
from refseg.visualization.html.outline_paths import outline_path

from .test_markup import HOSTILE, parsed


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), (200, 120, 40), np.uint8)


def square(at: int, height: int = 60, width: int = 80) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[at : at + 20, at : at + 20] = True
    return mask


def card(expression: str = "the square", **changes: object) -> Card:
    fields: dict[str, object] = {
        "image": picture(),
        "image_name": "a.jpg",
        "truth": square(10),
        "views": [View("", "IoU 50.0 %", square(20))],
        "facts": "val · id 3",
        "row": 3,
    }
    return Card(expression, **{**fields, **changes})  # type: ignore[arg-type]  # by name


def test_truth_and_prediction_differ_in_their_lines() -> None:
    body = parsed(gallery({"Best": [card()]}, Album()).markup)
    (svg,) = body.iter("svg")
    paths = [(path.get("class"), path.get("d")) for path in svg.iter("path")]
    truth, prediction = outline_path(square(10)), outline_path(square(20))
    assert paths == [
        ("edge", truth),
        ("truth", truth),
        ("edge light", prediction),
        ("prediction", prediction),
    ]
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "the square: IoU 50.0 %"
    assert body.find(".//figure").get("data-row") == "3"


def test_an_image_is_kept_once_and_scaled() -> None:
    album = Album(side=40)
    views = [View(name, "IoU 50.0 %", square(20)) for name in ("rmi", "lstm")]
    cards = [card(views=views), card(image_name="b.jpg"), card()]
    body = parsed(gallery({"Best": cards}, album).markup + album.markup().markup)
    uses = [use.get("href") for use in body.iter("use")]
    assert uses == ["#image-0", "#image-0", "#image-1", "#image-0"]
    images = [image for image in body.iter() if image.tag in ("image", "img")]
    assert [image.get("id") for image in images] == ["image-0", "image-1"]
    address = images[0].get("href")
    assert address.startswith("data:image/webp;base64,")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as shown:
        assert shown.size == (40, 30)
        assert np.abs(np.asarray(shown.convert("RGB")).mean((0, 1)) - (200, 120, 40)).max() < 8
    first = next(body.iter("svg"))
    assert first.get("viewBox") == "0 0 40 30"


def test_small_images_are_not_enlarged() -> None:
    _, panel = Album(side=420).add("a", picture())
    assert (panel.height, panel.width) == (60, 80)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"views": [View("", "IoU 0.0 %", np.zeros((60, 80), bool))]}, "nothing predicted"),
        ({"views": [View("", "IoU 9.0 %", None)]}, "prediction not known"),
        ({"image": None}, "The image cannot be read."),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, object], said: str) -> None:
    body = parsed(gallery({"Worst": [card(**changes)]}, Album()).markup)
    assert said in "".join(body.itertext())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_sentences_are_shown_as_they_are(text: str) -> None:
    body = parsed(gallery({text: [card(text, facts=text)]}, Album()).markup)
    assert body.find(".//figcaption").text == text
    assert body.find(".//figcaption").get("dir") == "auto"
    assert body.find(".//h3").text == text
    assert next(body.iter("svg")).get("aria-label") == f"{text}: IoU 50.0 %"
    tags = {element.tag for element in body.iter()}
    assert tags == {"body", "div", "h3", "figure", "figcaption", "svg", "use", "path", "p", "bdi"}


def test_groups_without_a_case_are_left_out() -> None:
    body = parsed(gallery({"Best": [card()], "Random": []}, Album()).markup)
    assert [heading.text for heading in body.iter("h3")] == ["Best"]
