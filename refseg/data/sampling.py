"""Draws images at random among those whose sentences have a word."""

import difflib
from typing import NamedTuple

import numpy as np
import regex
from jaxtyping import Bool, Int64

from refseg.data.references import References
from refseg.data.tokenizers import normalize_text, split_words
from refseg.errors import DataError

_OF_WORDS = r"[\p{L}\p{M}\p{N}_\u200c\u200d]"


class Chosen(NamedTuple):
    """Images drawn at random.

    Args:
        images: for each image, the rows of the references to show, in the data set's order.
        matching: number of images to draw from.
    """

    images: list[Int64[np.ndarray, " rows"]]
    matching: int


def with_words(references: References, words: str | None) -> Bool[np.ndarray, " rows"]:
    """Which expressions have a word, or several words in a row, whatever their case.

    Args:
        references: the rows to look through.
        words: whole words, such as `left` (which is not in "leftmost"); None matches everything.

    Raises:
        DataError: no expression has it; the message names similar words.
    """
    if words is None:
        return np.ones(len(references), bool)
    wanted = normalize_text(words.strip())
    pattern = regex.compile(rf"(?<!{_OF_WORDS}){regex.escape(wanted)}(?!{_OF_WORDS})")
    expressions = references.expressions.to_pylist()
    normalized = map(normalize_text, expressions)
    found = np.array([pattern.search(text) is not None for text in normalized], bool)
    if not found.any():
        vocabulary = sorted({word for text in expressions for word in split_words(text)})
        similar = difflib.get_close_matches(wanted, vocabulary, n=3)
        raise DataError(
            f"No expression of {references.source} here has '{words}'; "
            + (f"similar words are {', '.join(similar)}." if similar else "try another word.")
        )
    return found


def choose_images(
    references: References, found: Bool[np.ndarray, " rows"], count: int, seed: int
) -> Chosen:
    """Draw images among those with a row that was found.

    Of each image, all rows of the references with such a row are given, so that the sentences of
    an object stay together.

    Args:
        references: the rows.
        found: what to draw from, as `with_words` gives it.
        count: number of images; all there are, if there are fewer.
        seed: another seed draws other images.
    """
    reference_ids = references.table["reference_id"].to_numpy()
    wanted = np.isin(reference_ids, reference_ids[found])
    rows, offsets = references.images()
    groups = [
        group[wanted[group]]
        for group in np.split(rows, offsets[1:-1])
        if len(group) and found[group].any()
    ]
    order = np.random.default_rng(seed).permutation(len(groups))[:count]
    return Chosen([groups[number] for number in order.tolist()], len(groups))
