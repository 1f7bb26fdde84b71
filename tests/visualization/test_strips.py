"""Word-by-word strips: a panel per word, in reading order."""

import numpy as np
import pytest

from refseg.errors import ConfigError
from refseg.visualization import TRUTH_COLOR, activity, heat, overlay, word_strip

PANEL, GAP, MARGIN = 100, 8, 20
SENTENCE = ["the", "large", "red", "star", "to", "the", "left", "of", "all", "thingamajigs" * 3]


@pytest.fixture
def image() -> np.ndarray:
    return np.full((75, PANEL, 3), 120, dtype=np.uint8)


@pytest.fixture
def probabilities() -> np.ndarray:
    rows, columns = np.indices((75, PANEL))
    distance = np.hypot(rows - 37, columns - 50)
    return np.stack([1 / (1 + np.exp((distance - 5 * word) / 4)) for word in range(10)])


@pytest.mark.parametrize("columns", [1, 4, 6, 20])
def test_each_panel_shows_its_word_and_they_stand_in_reading_order(
    image: np.ndarray, probabilities: np.ndarray, columns: int
) -> None:
    strip = word_strip(image, SENTENCE, probabilities, columns=columns, panel=PANEL)
    across = min(columns, 11)
    assert strip.shape[1] == 2 * MARGIN + across * PANEL + (across - 1) * GAP
    expected = [image, *(heat(image, after.astype(np.float32)) for after in probabilities)]
    last_top = 0
    for start in range(0, 11, columns):
        row = np.concatenate(expected[start : start + columns], axis=1)
        lefts = [MARGIN + number * (PANEL + GAP) for number in range(across)][: 11 - start]
        found = [
            top
            for top in range(last_top, len(strip) - 75)
            if (
                np.concatenate([strip[top : top + 75, left : left + PANEL] for left in lefts], 1)
                == row
            ).all()
        ]
        assert len(found) == 1
        caption = strip[last_top : found[0], MARGIN : MARGIN + PANEL]
        assert (caption != 255).any(), "a caption stands above"
        last_top = found[0] + 75
    for margin in (strip[:MARGIN], strip[-MARGIN:], strip[:, :MARGIN], strip[:, -MARGIN:]):
        assert (margin == 255).all(), "nothing is clipped"


def test_the_first_panel_shows_the_truth_where_it_is_known(
    image: np.ndarray, probabilities: np.ndarray
) -> None:
    truth = probabilities[5] > 0.5
    plain, known = (
        word_strip(image, SENTENCE, probabilities, truth=mask, panel=PANEL)
        for mask in (None, truth)
    )
    changed = (plain != known).any(axis=(0, 2)).nonzero()[0]
    assert changed.max() < MARGIN + PANEL
    column = known[:, MARGIN : MARGIN + PANEL]
    expected = overlay(image, truth, TRUTH_COLOR)
    assert any((column[top : top + 75] == expected).all() for top in range(len(column) - 75))


@pytest.mark.parametrize("size", [(480, 640), (700, 20), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_images_of_any_size(size: tuple[int, int], dtype: type) -> None:
    image = np.zeros((*size, 3), dtype=np.uint8)
    strip = word_strip(image, ["one", "two"], np.full((2, *size), 0.7, dtype), panel=PANEL)
    assert strip.shape[1] == 2 * MARGIN + 3 * PANEL + 2 * GAP


def test_no_word_at_all_leaves_the_image(image: np.ndarray) -> None:
    strip = word_strip(image, [], np.zeros((0, 75, PANEL)), panel=PANEL)
    assert strip.shape[1] == 2 * MARGIN + PANEL
    assert (strip[:, -MARGIN:] == 255).all()


def test_words_and_maps_that_do_not_match(image: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="got 1 words, 2 maps"):
        word_strip(image, ["one"], np.zeros((2, 75, PANEL)))


def test_activations_stand_below_the_predictions_on_one_scale(
    image: np.ndarray, probabilities: np.ndarray
) -> None:
    words, predicted = SENTENCE[:4], probabilities[:4].astype(np.float32)
    activations = 4 * predicted - 1
    strip = word_strip(image, words, predicted, activations, columns=3, panel=PANEL)
    low, high = float(activations.min()), float(activations.max())
    pairs = [
        np.concatenate([heat(image, prediction), activity(image, activation, low, high)], 1)
        for prediction, activation in zip(predicted, activations, strict=True)
    ]
    places = []
    for number, pair in enumerate(pairs, start=1):
        left = MARGIN + number % 3 * (PANEL + GAP)
        column = strip[:, left : left + PANEL]
        places += [
            (number // 3, top)
            for top in range(len(strip) - 2 * 75 - GAP)
            if (column[top : top + 75] == pair[:, :PANEL]).all()
            and (column[top + 75 + GAP : top + 2 * 75 + GAP] == pair[:, PANEL:]).all()
        ]
    assert [band for band, _ in places] == [0, 0, 1, 1]
    assert len(set(places)) == 2, "the panels of a band stand side by side"


def test_activations_that_do_not_match(image: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="got 1 words, 2 maps and 2 maps"):
        word_strip(image, ["one"], np.zeros((2, 75, PANEL)), np.zeros((2, 75, PANEL)))
