"""Words of all expressions as columns of numbers: how many there are, and of which kinds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64

from refseg.data.statistics.word_kinds import KIND_OF_WORDS, PHRASES, WORD_KINDS
from refseg.data.tokenizers import split_words


@dataclass(frozen=True)
class Words:
    """The words of expressions, one after the other, each as a number.

    Args:
        vocabulary: the different words.
        codes: for each word of each expression, in order, its place in the vocabulary.
        lengths: number of words of each expression.

    Example:
        >>> words = words_of(["the left dog", "dog next to the cat"])
        >>> words.lengths.tolist()
        [3, 5]
        >>> words.kinds()["position"].tolist(), words.kinds()["relation"].tolist()
        ([True, False], [False, True])
    """

    vocabulary: tuple[str, ...]
    codes: Int64[np.ndarray, " words"]
    lengths: Int64[np.ndarray, " expressions"]

    def counts(
        self, expressions: Bool[np.ndarray, " expressions"] | None = None
    ) -> Int64[np.ndarray, " vocabulary"]:
        """How often each word of the vocabulary occurs.

        Args:
            expressions: those to count in; all by default.
        """
        codes = self.codes
        if expressions is not None:
            codes = codes[np.repeat(expressions, self.lengths)]
        return np.bincount(codes, minlength=len(self.vocabulary)).astype(np.int64)

    def any_of(self, marked: Bool[np.ndarray, " words"]) -> Bool[np.ndarray, " expressions"]:
        """Which expressions have a marked word.

        Args:
            marked: one value for each of `codes`.
        """
        owner = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return np.bincount(owner[marked], minlength=len(self.lengths)) > 0

    def kinds(self) -> dict[str, Bool[np.ndarray, " expressions"]]:
        """Which expressions have a word of each kind of `word_kinds`.

        Words inside of a phrase such as "in front of" count as the phrase does, not one by one.
        """
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        inside = np.zeros(len(self.codes), bool)
        marked = {kind: np.zeros(len(self.codes), bool) for kind in WORD_KINDS}
        for phrase, kinds in sorted(PHRASES.items(), key=lambda item: -len(item[0])):
            if not set(phrase) <= set(numbers):
                continue
            starts = self._occurrences([numbers[word] for word in phrase])
            starts = starts[~inside[starts]]
            for offset in range(len(phrase)):
                inside[starts + offset] = True
            for kind in kinds:
                marked[kind][starts] = True
        for kind, known in KIND_OF_WORDS.items():
            is_known = np.array([word in known for word in self.vocabulary], bool)
            marked[kind] |= is_known[self.codes] & ~inside
        return {kind: self.any_of(marks) for kind, marks in marked.items()}

    def _occurrences(self, phrase: list[int]) -> Int64[np.ndarray, " occurrences"]:
        """Where a phrase, given by the numbers of its words, begins."""
        end = max(0, len(self.codes) - len(phrase) + 1)
        owner = np.repeat(np.arange(len(self.lengths)), self.lengths)
        found = owner[:end] == owner[len(phrase) - 1 :]
        for offset, number in enumerate(phrase):
            found &= self.codes[offset : offset + end] == number
        return np.flatnonzero(found)


def words_of(expressions: Iterable[str]) -> Words:
    """Split expressions as the tokenizer does (`split_words`).

    Args:
        expressions: the sentences, as `References.expressions.to_pylist()` gives them.
    """
    words: list[str] = []
    lengths = []
    for expression in expressions:
        of_expression = split_words(expression)
        words += of_expression
        lengths.append(len(of_expression))
    encoded = pa.array(words, pa.string()).dictionary_encode()
    return Words(
        tuple(encoded.dictionary.to_pylist()),
        encoded.indices.to_numpy().astype(np.int64),
        np.array(lengths, np.int64),
    )
