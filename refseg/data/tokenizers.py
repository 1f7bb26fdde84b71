"""From sentences to token ids."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

from refseg.errors import CheckpointError, ConfigError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_WORD = re.compile(r"[^\W\d_]+|(?<=[^\W\d_])'[^\W\d_]+|\d+")


def split_words(expression: str) -> list[str]:
    """The words and numbers of a sentence in lower case, without punctuation.

    Example:
        >>> split_words("The dog's bowl, 2nd from left!")
        ['the', 'dog', "'s", 'bowl', '2', 'nd', 'from', 'left']
    """
    return _WORD.findall(expression.lower().replace("’", "'"))


class Tokenizer(ABC):
    """Turns sentences into token ids, and belongs to the data: a checkpoint carries it whole.

    A tokenizer knows how many ids it can give (`vocab_size`), learns its vocabulary from the
    sentences of the training split (`build`), pads on the right (`encode`), and can be written
    as plain numbers and texts (`state_dict`) and made again from them without a file or a
    network (`from_state`). A checkpoint is opened with `weights_only=True`, hence the plain values.

    Args:
        max_words: sentences are cut after so many tokens; 20 in the papers.
    """

    needs_building: bool = True
    """Whether the vocabulary comes from the training split at all."""

    def __init__(self, max_words: int = 20) -> None:
        if max_words < 1:
            raise ConfigError(f"Expected max_words of at least 1, got {max_words}.")
        self.max_words = max_words

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of different ids, special ones included."""

    @abstractmethod
    def build(self, expressions: Iterable[str]) -> None:
        """Learn the vocabulary from the sentences of the training split, and of no other."""

    @abstractmethod
    def encode(
        self, expressions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "expressions words"], Bool[np.ndarray, "expressions words"]]:
        """Token ids, padded on the right to the longest sentence, and True where a token is.

        Args:
            expressions: sentences with at least one word each.

        Raises:
            DataError: a sentence has no word.
        """

    @abstractmethod
    def words(self, expression: str) -> list[str]:
        """The words or pieces of words that `encode` makes ids of, for a reader."""

    @abstractmethod
    def unknown_words(self, expression: str) -> list[str]:
        """The words of a sentence that the vocabulary lacks, in their order."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `from_state` needs, as plain numbers, texts and lists."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Tokenizer":
        """The tokenizer that gave this state."""


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
        sentences = [_words_of(expression)[: self.max_words] for expression in expressions]
        longest = max(map(len, sentences), default=0)
        tokens = np.full((len(sentences), longest), self.PADDING, np.int64)
        for row, words in zip(tokens, sentences, strict=True):
            row[: len(words)] = [self._ids.get(word, self.UNKNOWN) for word in words]
        return tokens, tokens != self.PADDING

    def words(self, expression: str) -> list[str]:
        """The words of a sentence, as many as are read."""
        return split_words(expression)[: self.max_words]

    def unknown_words(self, expression: str) -> list[str]:
        """The words of a sentence that the training split did not have."""
        return [word for word in split_words(expression) if word not in self._ids]

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
        tokenizer = cls(state["max_words"], state["min_count"])
        tokenizer._set_words(state["words"])
        return tokenizer


class TransformersTokenizer(Tokenizer):
    """The tokenizer of a pretrained text encoder of the transformers library.

    Its vocabulary is that of the pretrained model, so `build` changes nothing. The checkpoint
    carries the whole tokenizer, so that neither network nor folder is needed to use it.

    Args:
        name: a name on the Hugging Face hub or a local folder, the same as the text encoder's.
        max_words: sentences are cut after so many tokens, pieces of words and special tokens
            included.
    """

    needs_building = False

    def __init__(self, name: str, max_words: int = 20) -> None:
        super().__init__(max_words)
        self.name = name
        self._loaded: PreTrainedTokenizerFast | None = None

    @property
    def _tokenizer(self) -> "PreTrainedTokenizerFast":
        if self._loaded is None:
            self._loaded = _load_transformers_tokenizer(self.name)
        return self._loaded

    @property
    def vocab_size(self) -> int:
        """Number of ids of the pretrained vocabulary, added tokens included."""
        return len(self._tokenizer)

    def build(self, expressions: Iterable[str]) -> None:
        """Keep the pretrained vocabulary."""

    def encode(
        self, expressions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "expressions words"], Bool[np.ndarray, "expressions words"]]:
        """Token ids with the model's special tokens, padded on the right, and True at a token."""
        for expression in expressions:
            _words_of(expression)
        if not expressions:
            return np.zeros((0, 0), np.int64), np.zeros((0, 0), np.bool_)
        encoded = self._tokenizer(
            list(expressions),
            padding=True,
            truncation=True,
            max_length=self.max_words,
            return_tensors="np",
        )
        tokens, token_mask = encoded["input_ids"], encoded["attention_mask"]
        return tokens.astype(np.int64), token_mask.astype(np.bool_)

    def words(self, expression: str) -> list[str]:
        """The pieces of a sentence, the model's special tokens included."""
        return list(self._tokenizer.convert_ids_to_tokens(self.encode([expression])[0][0].tolist()))

    def unknown_words(self, expression: str) -> list[str]:
        """The words that become the model's unknown token; most models have pieces for any word."""
        unknown = self._tokenizer.unk_token_id
        return [
            word
            for word in split_words(expression)
            if unknown in self._tokenizer(word, add_special_tokens=False)["input_ids"]
        ]

    def state_dict(self) -> dict[str, Any]:
        """The name, the serialised tokenizer and its special tokens."""
        special = {key: str(token) for key, token in self._tokenizer.special_tokens_map.items()}
        return {
            "class": type(self).__name__,
            "name": self.name,
            "max_words": self.max_words,
            "serialised": self._tokenizer.backend_tokenizer.to_str(),
            "special_tokens": special,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TransformersTokenizer":
        """The tokenizer that gave this state; needs neither network nor folder."""
        from tokenizers import Tokenizer as Backend
        from transformers import PreTrainedTokenizerFast

        tokenizer = cls(state["name"], state["max_words"])
        tokenizer._loaded = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # theirs
            tokenizer_object=Backend.from_str(state["serialised"]),
            padding_side="right",
            truncation_side="right",
            **state["special_tokens"],
        )
        return tokenizer


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer again that `state_dict` described, whichever of the classes it is.

    Only classes that are already defined are considered: a checkpoint cannot import anything.

    Args:
        state: as `Tokenizer.state_dict` returned it.

    Raises:
        CheckpointError: the class is unknown, or a part of the state is missing.

    Example:
        >>> tokenizer = WordTokenizer()
        >>> tokenizer.build(["a red dog"])
        >>> tokenizer_from_state(tokenizer.state_dict()).vocab_size
        5
    """
    classes = {kind.__name__: kind for kind in _subclasses(Tokenizer)}
    name = state.get("class")
    if name not in classes:
        raise CheckpointError(
            f"The checkpoint's tokenizer is of class {name!r}; known are {', '.join(classes)}. "
            "Import the module that defines it first."
        )
    try:
        return classes[name].from_state(state)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The state of the checkpoint's {name} is incomplete ({type(error).__name__}: {error})."
        ) from None


def _subclasses(kind: type[Any]) -> list[type[Tokenizer]]:
    found: list[type[Tokenizer]] = []
    for subclass in kind.__subclasses__():
        found += [subclass, *_subclasses(subclass)]
    return found


def _words_of(expression: str) -> list[str]:
    words = split_words(expression)
    if not words:
        raise DataError(
            f"The expression {expression[:60]!r} has no word; give at least one word or number."
        )
    return words


def _load_transformers_tokenizer(name: str) -> "PreTrainedTokenizerFast":
    import os

    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    # The library's own threads and the data loader's processes do not go together.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="right", use_fast=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"Cannot load the tokenizer '{name}' ({reason}); give a name on the Hugging Face hub "
            "or a folder that save_pretrained wrote."
        ) from None
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            f"The tokenizer '{name}' has no fast version, which a checkpoint needs; choose another."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer
