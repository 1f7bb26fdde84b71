"""What the page answers: the masks of `segment`, limits, and messages for visitors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import refseg
from refseg.errors import ConfigError, DataError
from refseg.inference.page import MAX_SENTENCES, SHOWN_SIDE, Page, sentences_of, spoken
from refseg.inference.pipeline import Pipeline


@pytest.fixture(scope="module")
def model(eager: Path) -> Pipeline:
    return refseg.load(eager)


@pytest.fixture
def page(model: Pipeline, tmp_path: Path) -> Page:
    return Page(model, tmp_path)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_masks_are_those_of_segment_in_the_size_of_the_picture(
    page: Page, model: Pipeline, photo: Path
) -> None:
    _, found, seconds = page.answer(photo, "the red circle\n\n  the   star \n")
    assert [one.sentence for one in found] == ["the red circle", "the star"]
    expected = model.segment_all(photo, ["the red circle", "the star"])
    assert any(mask.any() for mask, _ in expected)
    for one, (mask, score) in zip(found, expected, strict=True):
        assert np.array_equal(opened(one.file), np.where(mask, 255, 0))
        assert (one.score, one.area) == (score, mask.mean())
    assert found[0].file != found[1].file
    assert seconds > 0


def test_large_pictures_are_shown_smaller_and_answered_in_their_size(
    page: Page, tmp_path: Path, photo: Path
) -> None:
    large = Image.fromarray(opened(photo)).resize((2 * SHOWN_SIDE, SHOWN_SIDE))
    large.save(tmp_path / "large.jpg")
    pixels, (found,), _ = page.answer(tmp_path / "large.jpg", "the red circle")
    assert pixels.shape == (SHOWN_SIDE // 2, SHOWN_SIDE, 3)
    assert found.mask.shape == pixels.shape[:2]
    assert opened(found.file).shape == (SHOWN_SIDE, 2 * SHOWN_SIDE)
    assert found.mask.mean() == pytest.approx(found.area, abs=0.01)


def test_the_last_word_gives_what_the_whole_sentence_gives(
    page: Page, model: Pipeline, photo: Path
) -> None:
    assert page.reads_word_by_word
    reading = page.read(photo, "the red circle on the left")
    assert reading.words == ["the", "red", "circle", "on", "the", "left"]
    assert reading.probabilities.shape == (6, *reading.pixels.shape[:2])
    mask, _ = model.segment(photo, "the red circle on the left")
    differs = (reading.probabilities[-1] > 127) != mask
    assert differs.mean() < 0.01  # of pixels whose probability is nearly a half


def test_unknown_words_are_named(page: Page, photo: Path) -> None:
    _, (found,), _ = page.answer(photo, "the zorbly red, zorbly circle")
    assert found.unknown == ("zorbly",)


def test_no_image_gets_a_message_with_its_name_and_without_our_folders(
    page: Page, tmp_path: Path
) -> None:
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(DataError, match=r"^Cannot read the image notes\.png "):
        page.answer(tmp_path / "notes.png", "the red circle")


def test_pictures_of_too_many_pixels_are_refused_before_they_are_decoded(
    page: Page, tmp_path: Path
) -> None:
    Image.new("1", (10_000, 5_100)).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match=r"^huge\.png has 51 million pixels, .* 50 million at most"):
        page.answer(tmp_path / "huge.png", "the red circle")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n ", "no sentence yet"),
        ("a star\n" * (MAX_SENTENCES + 1), "13 sentences"),
        ("star " * 200, "999 characters"),
    ],
)
def test_texts_that_are_no_sentences_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sentences_of(text)


def test_a_missing_picture_is_asked_for(page: Page) -> None:
    with pytest.raises(ConfigError, match="no picture yet"):
        page.answer(None, "the red circle")


def test_words_of_visitors_are_no_markup() -> None:
    assert "<b>" not in spoken(["<b>", "*star*"], 1)
    assert "*star*" not in spoken(["<b>", "*star*"], 1)
    assert spoken(["the", "star"], 2) == "the **star**"
