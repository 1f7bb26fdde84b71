"""One id per word of the training split."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import regex
from jaxtyping import Bool, Int64

from refseg.data.tokenizers.base import Tokenizer, counted, listed
from refseg.errors import ConfigError, DataError

# A letter with the marks that belong to it (vowel signs, points, accents). A joiner between two
# letters shapes them and belongs to their word (Persian, Hindi).
_LETTER = r"[\p{L}\p{Nl}\p{No}](?:\p{M}|[\u200c\u200d](?=[\p{L}\p{M}]))*"
_WORD = regex.compile(
    rf"(?:{_LETTER})+|(?<=[\p{{L}}\p{{Nl}}\p{{No}}\p{{M}}])'(?:{_LETTER})+|\p{{Nd}}+"
)
_INVISIBLE = str.maketrans("", "", "\u00ad\u2060\ufeff")  # where a line may break, or may not


def normalize_text(text: str) -> str:
    """Text in lower case, in the one form in which equal words are equal character by character.

    Unicode writes "é" as one character or as two; both become one here (NFC). Nothing else that
    differs becomes equal: lower case keeps German "Maße" (sizes) and "Masse" (mass) apart, which
    `str.casefold` would not, and the dot of "İ" stays beside its i.

    Example:
        >>> normalize_text("CAFE\u0301") == "café"
        True
    """
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    return unicodedata.normalize("NFC", composed.lower().replace("’", "'"))


def split_words(expression: str) -> list[str]:
    """The words and numbers of a sentence in lower case, without punctuation.

    A word is made of letters of any script, each with its marks. Scripts that write no spaces
    between words (Chinese, Japanese, Thai) give one word up to the next punctuation.

    Example:
        >>> split_words("The dog's bowl, 2nd from left!")
        ['the', 'dog', "'s", 'bowl', '2', 'nd', 'from', 'left']
    """
    return _WORD.findall(normalize_text(expression))


def words_of(expression: str) -> list[str]:
    """The words of a sentence that has any.

    Raises:
        DataError: it has none.
    """
    words = split_words(expression)
    if not words:
        raise DataError(
            f"The expression {expression[:60]!r} has no word; give at least one word or number."
        )
    return words


class WordTokenizer(Tokenizer):
    """One id per word of the training split.

    Id 0 is padding and id 1 stands for every unknown word. Words are written in lower case;
    punctuation is dropped ("dog's" is "dog" and "'s").

    Args:
        max_words: sentences are cut after so many words; 20 in the papers.
        min_count: words that occur less often in the training split are unknown.

    Example:
        >>> tokenizer = WordTokenizer()
        >>> tokenizer.build(["the red dog", "the dog's bowl"])
        >>> tokens, token_mask = tokenizer.encode(["red bowl", "the dog and the cat"])
        >>> tokens
        array([[6, 5, 0, 0, 0],
               [3, 2, 1, 3, 1]])
    """

    PADDING = 0
    UNKNOWN = 1

    def __init__(self, max_words: int = 20, min_count: int = 1) -> None:
        super().__init__(max_words)
        self.min_count = min_count
        self._set_words([])

    def _set_words(self, words: Sequence[str]) -> None:
        self._ids = {word: number for number, word in enumerate(words, start=2)}

    @property
    def vocab_size(self) -> int:
        """Number of words, and two for padding and the unknown."""
        return len(self._ids) + 2

    def build(self, expressions: Iterable[str]) -> None:
        """Take the words of these sentences, the frequent ones first, as the vocabulary."""
        counts: Counter[str] = Counter()
        for expression in expressions:
            counts.update(split_words(expression))
        frequent = [word for word in counts if counts[word] >= self.min_count]
        if not frequent:
            raise DataError(
                f"No word occurs {self.min_count} times in the training split; lower min_count, or "
                "check the training split."
            )
        self._set_words(sorted(frequent, key=lambda word: (-counts[word], word)))

    def encode(
        self, expressions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "expressions words"], Bool[np.ndarray, "expressions words"]]:
        """Token ids, padded with 0 on the right, and True where a word is."""
        if not self._ids:
            raise ConfigError(
                "The tokenizer has no vocabulary yet; call build() with the training split's "
                "sentences, or load a checkpoint."
            )
        sentences = [words_of(expression)[: self.max_words] for expression in expressions]
        longest = max(map(len, sentences), default=0)
        tokens = np.full((len(sentences), longest), self.PADDING, np.int64)
        for row, words in zip(tokens, sentences, strict=True):
            row[: len(words)] = [self._ids.get(word, self.UNKNOWN) for word in words]
        return tokens, tokens != self.PADDING

    def words(self, expression: str) -> list[str]:
        """The words of a sentence, as many as are read."""
        return split_words(expression)[: self.max_words]

    def vocabulary(self) -> list[str]:
        """The word of each id; padding and the unknown have none."""
        return ["", "", *self._ids]

    def unknown_words(self, expression: str) -> list[str]:
        """The words of a sentence, as many as are read, that the training split did not have."""
        return [word for word in self.words(expression) if word not in self._ids]

    def lengths(self, expressions: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """How many words each sentence has, those after the cut included."""
        return np.array([len(split_words(expression)) for expression in expressions], np.int64)

    def state_dict(self) -> dict[str, Any]:
        """The options and the vocabulary in the order of its ids."""
        return {
            "class": type(self).__name__,
            "max_words": self.max_words,
            "min_count": self.min_count,
            "words": list(self._ids),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "WordTokenizer":
        """The tokenizer that gave this state."""
        tokenizer = cls(counted(state, "max_words"), counted(state, "min_count"))
        tokenizer._set_words(listed(state, "words"))
        return tokenizer
