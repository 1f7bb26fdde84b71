"""The contract of a tokenizer, and how one is restored from a checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from refseg.checkpoint.packages import OPTION, is_own
from refseg.checkpoint.values import shown
from refseg.errors import CheckpointError, ConfigError, RefsegError

_MOST = 1_000_000


class Tokenizer(ABC):
    """Turns sentences into token ids. It is part of the data, and stored in each checkpoint.

    A tokenizer knows how many ids it can give (`vocab_size`), learns its vocabulary from the
    sentences of the training split (`build`), pads on the right (`encode`), and can be written
    as plain numbers and texts (`state_dict`) and made again from them without a file or a
    network (`from_state`). A checkpoint is opened with `weights_only=True`, hence the plain values.

    Args:
        max_words: sentences are cut after so many tokens; 20 in the papers.
    """

    needs_building: bool = True
    """Whether the vocabulary comes from the training split at all."""

    unit: str = "words"
    """What `max_words` counts, in messages."""

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

    def vocabulary(self) -> list[str]:
        """The word of each id; an empty text where an id stands for no word.

        Raises:
            ConfigError: ids stand for pieces of words.
        """
        raise ConfigError(
            f"Expected a tokenizer whose ids stand for words, got {type(self).__name__}; for "
            "vectors of words use WordTokenizer."
        )

    @abstractmethod
    def unknown_words(self, expression: str) -> list[str]:
        """The words that the vocabulary lacks, in their order, of those that are read."""

    @abstractmethod
    def lengths(self, expressions: Sequence[str]) -> Int64[np.ndarray, " expressions"]:
        """How many tokens each sentence would have if it were not cut after `max_words`."""

    def knows_any_word(self, expression: str) -> bool:
        """Whether the vocabulary has any of the words that are read."""
        return len(self.unknown_words(expression)) < len(self.words(expression))

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `from_state` needs, as plain numbers, texts and lists."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Tokenizer":
        """The tokenizer that gave this state."""


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer again that `state_dict` described, whichever of the classes it is.

    Only classes of refseg, and those of packages that the user has imported for checkpoints, are
    considered, and of these the ones that are already defined: a checkpoint imports nothing.

    Args:
        state: as `Tokenizer.state_dict` returned it.

    Raises:
        CheckpointError: the class is unknown, or a part of the state is missing.

    Example:
        >>> from refseg.data.tokenizers import WordTokenizer
        >>> tokenizer = WordTokenizer()
        >>> tokenizer.build(["a red dog"])
        >>> tokenizer_from_state(tokenizer.state_dict()).vocab_size
        5
    """
    classes = {kind.__name__: kind for kind in _subclasses(Tokenizer) if _is_trusted(kind)}
    name = state.get("class")
    if not isinstance(name, str) or name not in classes:
        raise CheckpointError(
            f"The checkpoint's tokenizer is of class {shown(name)}; known are "
            f"{', '.join(classes)}. If it is yours and you trust it, name its package: {OPTION} "
            "PACKAGE (in Python: import_packages)."
        )
    try:
        return classes[name].from_state(state)
    except RefsegError as error:
        raise CheckpointError(f"The checkpoint's {name} cannot be made: {error}") from None
    except Exception as error:  # the state is of unknown origin, and libraries fail in their ways
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"The state of the checkpoint's {name} is incomplete or damaged "
            f"({type(error).__name__}: {reason})."
        ) from None


def listed(state: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts in the state of a tokenizer.

    Raises:
        TypeError: it is something else.
    """
    texts = state[name]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"expected texts as {name}")
    return texts


def counted(state: Mapping[str, Any], name: str) -> int:
    """A number in the state of a tokenizer.

    Raises:
        TypeError: it is something else, or larger than any number of words.
    """
    number = state[name]
    if type(number) is not int or abs(number) > _MOST:
        raise TypeError(f"expected a number of words as {name}")
    return number


def _is_trusted(kind: type[Tokenizer]) -> bool:
    return kind.__module__.partition(".")[0] == "refseg" or is_own(kind.__module__)


def _subclasses(kind: type[Any]) -> list[type[Tokenizer]]:
    found: list[type[Tokenizer]] = []
    for subclass in kind.__subclasses__():
        found += [subclass, *_subclasses(subclass)]
    return found
