"""Sentences word by word on a page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from refseg.errors import ConfigError
from refseg.visualization import heat
from refseg.visualization.html.galleries import Album
from refseg.visualization.html.readings import ReadCard, word_strips

from .test_markup import HOSTILE, parsed


def reading(words: list[str], truth: np.ndarray | None = None) -> ReadCard:
    maps = np.zeros((len(words), 60, 80), np.float32)
    for number in range(len(words)):
        maps[number, :, : 20 * (number + 1)] = 0.9
    image = np.full((60, 80, 3), 90, np.uint8)
    return ReadCard(" ".join(words), image, "a.jpg", truth, words, maps, 2 * maps - 1, 5)


def test_a_picture_after_each_word_and_its_iou() -> None:
    truth = np.zeros((60, 80), bool)
    truth[:, :40] = True
    body = parsed(word_strips([reading(["left", "red", "star"], truth)], Album()).markup)
    steps = list(body.iter("li"))
    assert len(steps) == 4
    said = ["".join(step.itertext()) for step in steps[1:]]
    # 20, 40 and 60 columns are predicted, 40 are true.
    assert said == ["leftIoU 50.0 %", "redIoU 100.0 %", "starIoU 66.7 %"]
    upper, lower = steps[2].findall("img")
    assert upper.get("alt") == "after “left red”: IoU 100.0 %"
    assert lower.get("alt") == "Mean activation after “left red”"
    with Image.open(io.BytesIO(base64.b64decode(upper.get("src").partition(",")[2]))) as shown:
        drawn = np.asarray(shown.convert("RGB").resize((80, 60))).astype(int)
    expected = heat(reading(["a"]).image, reading(["a", "b"]).probabilities[1])
    assert np.abs(drawn - expected).mean() < 12
    assert body.find(".//figure").get("data-row") == "5"


def test_without_truth_the_size_is_told() -> None:
    body = parsed(word_strips([reading(["star"])], Album()).markup)
    assert "25.0% of the image" in "".join(body.itertext())


def test_hostile_words() -> None:
    body = parsed(word_strips([reading(HOSTILE)], Album()).markup)
    words = [span.text for span in body.iter("span") if span.get("class") == "word"]
    assert words == HOSTILE


def test_numbers_must_agree() -> None:
    card = reading(["a", "b"])
    wrong = ReadCard("a", card.image, "a", None, ["a"], card.probabilities, card.activations, row=0)
    with pytest.raises(ConfigError, match="one map per word"):
        word_strips([wrong], Album())
