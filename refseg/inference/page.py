"""What the page of `refseg app` answers, whatever draws it: `web` is its layout."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from refseg.data import read_image
from refseg.data.images import image_size
from refseg.data.tokenizers import split_words
from refseg.errors import ConfigError, DataError
from refseg.inference.pipeline import Pipeline
from refseg.inference.text_to_mask.base import TextToMaskModel

MAX_PIXELS = 50_000_000
"""Of an uploaded picture: what phones take, and 150 MB when it is open."""
MAX_SENTENCES = 12
MAX_CHARACTERS = 500
SHOWN_SIDE = 1024
"""Longest side of what is shown, pixels; masks are made in the picture's own size."""


class Found(NamedTuple):
    """What one sentence names.

    Args:
        sentence: as it was asked.
        mask: in the size that is shown.
        file: the mask in the picture's own size, PNG, 0 and 255.
        score: mean probability of the pixels of the mask; 0 where it is empty.
        area: share of the picture that the mask covers, 0–1.
        unknown: words that the model does not know.
    """

    sentence: str
    mask: Bool[np.ndarray, " height width"]
    file: Path
    score: float
    area: float
    unknown: tuple[str, ...]


class Answer(NamedTuple):
    """What the page shows.

    Args:
        pixels: the picture, in the size that is shown.
        found: what each sentence names, in the order of the sentences.
        seconds: that the model took, the reading of the file not counted.
    """

    pixels: UInt8[np.ndarray, " height width 3"]
    found: list[Found]
    seconds: float


class ShownReading(NamedTuple):
    """How the model reads a sentence, in the size that is shown.

    Args:
        pixels: the picture.
        words: of the sentence, as the tokenizer cuts it.
        probabilities: foreground after each word, 0–255 for 0–1: a page keeps them.
    """

    pixels: UInt8[np.ndarray, " height width 3"]
    words: list[str]
    probabilities: UInt8[np.ndarray, " words height width"]


class Page:
    """Answers what visitors of the page ask of one model.

    Args:
        model: that `refseg.load` opened.
        folder: where masks are written, to be downloaded.
    """

    def __init__(self, model: Pipeline | TextToMaskModel, folder: Path) -> None:
        self.model, self.folder = model, folder

    @property
    def reads_word_by_word(self) -> bool:
        """Whether `read` can be asked."""
        return isinstance(self.model, Pipeline) and self.model.segmenter.reads_word_by_word

    def answer(self, picture: Path | None, text: str) -> Answer:
        """Segment what each line of a text names in a picture.

        Args:
            picture: an image file; None where none was given.
            text: a sentence in each line; empty lines are left out.

        Raises:
            ConfigError: there is no picture or no sentence, or there are too many.
            DataError: the picture cannot be read or is too large; a sentence has no word that the
                model knows.
            PredictionError: a logit is not a number.
        """
        sentences = sentences_of(text)
        pixels = self._open(picture)
        start = time.perf_counter()
        segmentations = self.model.segment_all(pixels, sentences)
        seconds = time.perf_counter() - start
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        found: list[Found] = []
        for number, (sentence, (mask, score)) in enumerate(
            zip(sentences, segmentations, strict=True), start=1
        ):
            words = "-".join(split_words(sentence)).encode()[:60].decode(errors="ignore")
            file = folder / f"{number}-{words}.png"
            Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(file)
            shown = _shrunk(mask.astype(np.uint8) * 255) > 127
            unknown = self._unknown(sentence)
            found.append(Found(sentence, shown, file, score, float(mask.mean()), unknown))
        return Answer(_shrunk(pixels), found, seconds)

    def read(self, picture: Path | None, sentence: str) -> ShownReading:
        """What the model predicts after each word of a sentence.

        Args:
            picture: an image file; None where none was given.
            sentence: one.

        Raises:
            ConfigError: as `answer`.
            DataError: as `answer`.
            PredictionError: a logit is not a number.
            TypeError: the model reads a sentence at once (`reads_word_by_word`).
        """
        if not isinstance(self.model, Pipeline):
            raise TypeError(f"{self.model.name} reads a sentence at once.")
        pixels = self._open(picture)
        words, probabilities, _ = self.model.read(pixels, sentence)
        maps = [_shrunk((255 * one).round().astype(np.uint8)) for one in probabilities]
        return ShownReading(_shrunk(pixels), words, np.stack(maps))

    def _open(self, picture: Path | None) -> UInt8[np.ndarray, " height width 3"]:
        if picture is None:
            raise ConfigError("There is no picture yet; drop one, or click on an example.")
        try:
            height, width = image_size(picture)
            if height * width > MAX_PIXELS:
                raise DataError(
                    f"{picture} has {height * width / 1e6:,.0f} million pixels, and this page "
                    f"takes {MAX_PIXELS / 1e6:.0f} million at most; make it smaller."
                )
            return read_image(picture)
        except DataError as error:  # visitors know the name, not where uploads lie here
            raise DataError(str(error).replace(str(picture), picture.name)) from None

    def _unknown(self, sentence: str) -> tuple[str, ...]:
        if not isinstance(self.model, Pipeline):
            return ()
        unknown = self.model.tokenizer.unknown_words(sentence)
        return tuple(dict.fromkeys(filter(split_words, unknown)))


def sentences_of(text: str) -> list[str]:
    r"""The sentences that a visitor wrote, one in each line.

    Raises:
        ConfigError: there is none, or they are too many or too long.

    Example:
        >>> sentences_of("the red star\n\n the circle ")
        ['the red star', 'the circle']
    """
    sentences = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not sentences:
        raise ConfigError("There is no sentence yet; write what to segment, “the red star”, say.")
    if len(sentences) > MAX_SENTENCES:
        raise ConfigError(
            f"There are {len(sentences)} sentences, and this page takes {MAX_SENTENCES} at a time."
        )
    longest = max(map(len, sentences))
    if longest > MAX_CHARACTERS:
        raise ConfigError(
            f"A sentence has {longest:,} characters, and this page takes {MAX_CHARACTERS}; say it "
            "shorter."
        )
    return sentences


def heat(probabilities: UInt8[np.ndarray, " height width"]) -> Float[np.ndarray, " height width"]:
    """How strongly each pixel is painted, 0–1: nothing below a probability of one tenth."""
    shares = probabilities.astype(np.float32) / 255
    return np.where(shares < 0.1, 0, shares)


def spoken(words: Sequence[str], count: int) -> str:
    """The sentence as read so far, in Markdown: the last word read is bold, the rest grey.

    Example:
        >>> spoken(["the", "red", "star"], 2)
        'the **red** <span style="opacity:.4">star</span>'
    """
    safe = ["".join(c if c.isalnum() else f"&#{ord(c)};" for c in word) for word in words]
    rest = " ".join(safe[count:])
    parts = [*safe[: count - 1], f"**{safe[count - 1]}**"]
    return " ".join(parts) + (f' <span style="opacity:.4">{rest}</span>' if rest else "")


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    factor = SHOWN_SIDE / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
