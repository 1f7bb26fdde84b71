"""What every text encoder promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from refseg.types import TextFeatures


class TextEncoder(nn.Module, ABC):
    """Turns tokens into one vector per word and one per sentence.

    Tokens are padded on the right, and more padding never changes the features of a word or of a
    sentence. A text encoder knows its own widths:

    * `word_dim`: length of the vector of a word;
    * `sentence_dim`: length of the vector of a sentence.
    """

    word_dim: int
    sentence_dim: int

    @abstractmethod
    def forward(
        self,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> TextFeatures:
        """Encode a batch of tokenised expressions."""

    @property
    def wants_words(self) -> bool:
        """Whether `take_words` is to be called before a training from the beginning."""
        return False

    def take_words(self, words: Sequence[str]) -> Bool[Tensor, " words"]:
        """Learn which words the token ids stand for.

        An encoder is made from the number of words alone, as a checkpoint makes it again.

        Args:
            words: the word of each id; an empty text is no word.

        Returns:
            For each word, whether the encoder knew it before any training.
        """
        return torch.zeros(len(words), dtype=torch.bool)

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether these constructor arguments ask for no file and no download.

        Those of a checkpoint do not (`portable_arguments`), and one whose do is not opened.
        """
        return arguments.get("weights") is None

    def portable_arguments(self) -> dict[str, Any]:
        """Constructor arguments that make this encoder again without any file but a checkpoint.

        They replace the configured ones in a checkpoint, which carries the weights itself.
        """
        return {}
