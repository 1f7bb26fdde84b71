"""Data of a run without a data set: a vocabulary, and batches of random images and sentences."""

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import ceil, log

import numpy as np

from refseg.benchmarks.full_size import WORDS
from refseg.data import ReferringDataModule
from refseg.data.collation import collate
from refseg.data.shapes import ShapesOptions
from refseg.data.shapes.writer import compose
from refseg.data.tokenizers import Tokenizer
from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.types import Batch, Sample

PER_IMAGE = 7.2
"""Expressions per image of RefCOCO: 10,834 on the 1,500 images of its split `val`."""

MEAN_WORDS, MOST_WORDS = 3.5, 12

_SCENES = 1000  # by then the built-in set has said all its words (but for slips, on level 3)
_LETTERS = 4  # of a made-up word, each one of ten: 10,000 words, about as many as RefCOCO has


class GeneratedData(ReferringDataModule):
    """Takes the options of any data, and reads none: the vocabulary is made of made-up sentences.

    Of the built-in set these are its own sentences, without its images. For other data sets whose
    vocabulary is that of their training split, 10,000 words stand for it.
    """

    @property
    def vocab_size(self) -> int:
        """Number of token ids; as with the data themselves, for the built-in set."""
        if self.vocabulary_from is not None or not self.tokenizer.needs_building:
            return super().vocab_size
        is_built_in = any(source.name == "shapes" for source in self.splits.sources)
        sentences = _sentences_of(self.splits.shapes) if is_built_in else _made_up_sentences()
        self.tokenizer.build(sentences)
        return self.tokenizer.vocab_size


def generated_batch(
    data: ReferringDataModule, images: int, expressions: int, words: int | None = None
) -> Batch:
    """A batch with random images and masks, always the same.

    Images have about equally many expressions. The sentences are the same for any number of images.

    Args:
        data: whose tokenizer has a vocabulary, and whose size the images have.
        images: number of them.
        expressions: number of them; at least one for each image.
        words: of each sentence; None: as many as sentences of RefCOCO have.

    Raises:
        ConfigError: the tokenizer would cut the sentences.
    """
    generator = np.random.default_rng(0)
    lengths = sentence_lengths(expressions) if words is None else [words] * expressions
    sentences = generated_sentences(
        data.tokenizer, generator.permutation(lengths).tolist(), generator
    )
    longest = int(data.tokenizer.lengths(sentences).max())
    if longest > data.tokenizer.max_words:
        raise ConfigError(
            f"Expected sentences that the tokenizer reads to the end, got one of {longest} "
            f"{data.tokenizer.unit}, of which it reads {data.tokenizer.max_words}; lower --words, "
            "or raise data.tokenizer.max_words."
        )
    size = data.transform.image_size
    masks = np.zeros((expressions, size, size), np.bool_)
    corners = generator.integers(0, ceil(0.7 * size), (expressions, 2)).tolist()
    for mask, (top, left) in zip(masks, corners, strict=True):
        mask[top : top + ceil(0.3 * size), left : left + ceil(0.3 * size)] = True
    borders = np.arange(images + 1) * expressions // images
    samples = [
        Sample(
            image=generator.integers(0, 256, (size, size, 3), np.uint8),
            masks=masks[first:end],
            expressions=tuple(sentences[first:end]),
            expression_ids=tuple(range(first, end)),
            truths=(),
            image_path="generated",
            geometry=Geometry.letterbox(size, size, size),
        )
        for first, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    ]
    return collate(samples, data.tokenizer)


def sentence_lengths(expressions: int) -> list[int]:
    """Words of each sentence, from short to long: 3.5 on average and 12 at most, as in RefCOCO.

    Most sentences are short: the number of words falls off exponentially. Of two sentences or more,
    one has 12 words, which lifts the mean where there are fewer than about a dozen.

    Args:
        expressions: number of sentences.

    Example:
        >>> sentence_lengths(8)
        [1, 2, 2, 2, 3, 4, 5, 12]
    """
    middles = [(place + 0.5) / expressions for place in range(expressions)]
    lengths = [round(1 - (MEAN_WORDS - 1) * log(1 - middle)) for middle in middles]
    lengths = [min(length, MOST_WORDS) for length in lengths]
    if expressions > 1:
        lengths[-1] = MOST_WORDS
    return lengths


def generated_sentences(
    tokenizer: Tokenizer, lengths: Sequence[int], generator: np.random.Generator
) -> list[str]:
    """Sentences of so many words each, which the tokenizer knows where it has a vocabulary."""
    try:
        known = [word for word in tokenizer.vocabulary() if word.isalpha()]
    except ConfigError:  # its ids stand for pieces of words: of common words they are the words
        known = []
    words = known or WORDS
    return [
        " ".join(words[place] for place in generator.integers(0, len(words), length))
        for length in lengths
    ]


@cache
def _sentences_of(shapes: ShapesOptions) -> tuple[str, ...]:
    scenes = range(min(_SCENES, shapes.train_images))
    return tuple(
        expression.text for scene in scenes for expression in compose(shapes, "train", scene)[2]
    )


@cache
def _made_up_sentences() -> tuple[str, ...]:
    words = map("".join, product("abcdefghij", repeat=_LETTERS))
    return tuple(" ".join([word] * 20) for word in words)  # often enough for any tokenizer
