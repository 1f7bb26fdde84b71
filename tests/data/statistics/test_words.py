"""Words as columns, against the plain way of counting them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.statistics import WORD_KINDS, words_of
from refseg.data.tokenizers import split_words

SENTENCES = st.lists(
    st.lists(
        st.sampled_from(["in", "front", "of", "left", "dog", "the", "red", "next", "to"]),
        max_size=7,
    ).map(" ".join)
)


@given(SENTENCES)
def test_counts_are_those_of_the_sentences(sentences: list[str]) -> None:
    words = words_of(sentences)
    assert words.lengths.tolist() == [len(split_words(sentence)) for sentence in sentences]
    expected = Counter(word for sentence in sentences for word in split_words(sentence))
    assert dict(zip(words.vocabulary, words.counts().tolist(), strict=True)) == expected
    some = np.arange(len(sentences)) % 2 == 0
    expected = Counter(word for sentence in sentences[::2] for word in split_words(sentence))
    counts = zip(words.vocabulary, words.counts(some).tolist(), strict=True)
    assert {word: count for word, count in counts if count} == expected


@given(SENTENCES)
def test_a_sentence_has_the_same_kinds_alone_and_among_others(sentences: list[str]) -> None:
    together = words_of(sentences).kinds()
    for number, sentence in enumerate(sentences):
        alone = words_of([sentence]).kinds()
        assert {kind: bool(together[kind][number]) for kind in WORD_KINDS} == {
            kind: bool(alone[kind][0]) for kind in WORD_KINDS
        }


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("dog", ""),
        ("left dog", "position"),
        ("LEFT dog", "position"),
        ("2nd dog", "position"),
        ("dog at 3 o'clock", "position"),
        ("red dog", "attribute"),
        ("dog next to the cat", "relation"),
        ("dog in front of the cat", "relation"),  # "front" is inside of the phrase
        ("dog in front", "position"),
        ("dog in", ""),
        ("front of the dog", "position"),
        ("small dog left of the cat", "position attribute relation"),
        ("the leftmost big one behind him", "position attribute relation"),
        ("", ""),
    ],
)
def test_kinds_of_words(sentence: str, kinds: str) -> None:
    found = words_of([sentence, "in front", "of"]).kinds()
    assert [kind for kind in WORD_KINDS if found[kind][0]] == kinds.split()


def test_a_phrase_does_not_reach_into_the_next_sentence() -> None:
    assert words_of(["dog in front", "of"]).kinds()["position"].tolist() == [True, False]


def test_no_sentence_at_all() -> None:
    words = words_of([])
    assert (words.vocabulary, len(words.codes), len(words.lengths)) == ((), 0, 0)
    assert all(len(has) == 0 for has in words.kinds().values())
