"""What every tokenizer promises, and how one is made again from a checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from refseg.errors import CheckpointError, ConfigError


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

    Only classes that are already defined are considered: a checkpoint cannot import anything.

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
