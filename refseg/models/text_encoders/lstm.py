"""The papers' text encoder: word embeddings and one LSTM."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.text_encoders.base import TextEncoder
from refseg.models.text_encoders.padding import pad_left, pad_right
from refseg.precision import full_precision, without_autocast
from refseg.types import TextFeatures


class LSTMEncoder(TextEncoder):
    """Embeds words and reads them with an LSTM from left to right.

    The vector of a word is its embedding followed by the L2-normalised state of the LSTM after it:
    the word, and the sentence so far (what RMI feeds to the mLSTM). The vector of the sentence is
    the state after its last word (what LSTM-CNN tiles over the image). Padding is skipped wherever
    it stands, and the features are padded on the right.

    Args:
        vocab_size: number of token ids; supplied by the data.
        embedding_dim: length of a word embedding; None: that of the vectors in `vectors`, else
            1000 as in both papers.
        hidden_dim: length of the LSTM's state; 1000 in both papers.
        embedding_range: embeddings start uniform in ±`embedding_range`; 0.08 in RMI.
        dropout: share of embedding and sentence features dropped in training; 0 in both papers.
        left_padding: none: padding is not read. 20 in LSTM-CNN's code, which fills every sentence
            up to 20 tokens with id 0 on its left, and reads that like words: id 0 has an embedding,
            which is trained. The result is the same for batches padded on either side.
        word_features: `embedding_and_state` as above and in RMI's code, or `state`, the sentence so
            far alone, as in RMI's text.
        recurrent_bias: give the LSTM two biases, as torch does, so that their sum learns twice as
            fast; the papers' LSTMs have one.
        vectors: a file in the text format of GloVe (`read_word_vectors`) whose vectors the
            embeddings start as. Words that are not in it start at random, spread like those that
            are. None: all start at random, or come from a checkpoint.
        train_vectors: train the embeddings, wherever they started; else all of them stay.

    Raises:
        ConfigError: `left_padding` is less than 1, or the file of vectors cannot be read, or has
            vectors of another length than `embedding_dim`.

    References:
        Liu et al., *Recurrent Multimodal Interaction for Referring Image Segmentation*, ICCV 2017,
        https://arxiv.org/abs/1703.07939, section 3.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int | None = None,
        hidden_dim: int = 1000,
        embedding_range: float = 0.08,
        dropout: float = 0.0,
        left_padding: int | None = None,
        word_features: Literal["embedding_and_state", "state"] = "embedding_and_state",
        recurrent_bias: bool = True,
        vectors: str | None = None,
        train_vectors: bool = True,
    ) -> None:
        super().__init__()
        embedding_dim = _embedding_dim(embedding_dim, vectors)
        if left_padding is not None and left_padding < 1:
            raise ConfigError(f"Expected left_padding of at least 1 token, got {left_padding}.")
        self.left_padding, self.word_features = left_padding, word_features
        self.sentence_dim = hidden_dim
        self.word_dim = hidden_dim + (embedding_dim if word_features != "state" else 0)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -embedding_range, embedding_range)
        initialize_lstm(self.lstm)
        self.lstm.bias_hh_l0.requires_grad_(recurrent_bias)
        self.embedding.weight.requires_grad_(train_vectors)
        self.vectors = vectors
        self._has_vectors = False

    @property
    def wants_words(self) -> bool:
        """Whether there are vectors of words, and they have not been taken yet."""
        return self.vectors is not None and not self._has_vectors

    @torch.no_grad()
    def take_words(self, words: Sequence[str]) -> Bool[Tensor, " words"]:
        """Start the embeddings as the vectors of these words.

        Args:
            words: the word of each id; an empty text is no word.

        Returns:
            For each word, whether the file has its vector.

        Raises:
            ConfigError: the file has none of them, or cannot be read.
        """
        if self.vectors is None:
            return super().take_words(words)
        from refseg.models.weights.word_vectors import read_word_vectors  # where one is named

        vectors, found = read_word_vectors(self.vectors, words)
        if not found.any():
            shown = ", ".join([word for word in words if word][:3])
            raise ConfigError(
                f"None of the {len(words):,} words of the vocabulary ({shown}, …) is in "
                f"{self.vectors}; name vectors of the language of the sentences, in lower case."
            )
        known = vectors[found]
        spread = known.std(0, correction=0)
        vectors[~found] = known.mean(0) + spread * torch.randn(int((~found).sum()), len(spread))
        self.embedding.weight.copy_(vectors)
        self._has_vectors = True
        return found

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether no file of vectors is named."""
        return arguments.get("vectors") is None

    def portable_arguments(self) -> dict[str, Any]:
        """The length of the vectors, in place of their file."""
        if self.vectors is None:
            return {}
        return {"vectors": None, "embedding_dim": self.embedding.embedding_dim}

    def forward(
        self,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> TextFeatures:
        """Encode a batch of tokenised expressions.

        One without words has the zero sentence, unless padding is read.

        Raises:
            ConfigError: a sentence is longer than `left_padding`.
        """
        if self.left_padding is not None:
            return self._read_with_padding(tokens, token_mask, self.left_padding)
        tokens, token_mask = pad_right(tokens, token_mask)
        embedded, states = self._read(tokens)
        lengths = token_mask.sum(1)
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[-1])
        sentence = states.gather(1, last)[:, 0] * (lengths > 0)[:, None]
        return TextFeatures(self._words(embedded, states), self.dropout(sentence), token_mask)

    def _read_with_padding(self, tokens: Tensor, token_mask: Tensor, steps: int) -> TextFeatures:
        if torch.compiler.is_exporting():
            longest = tokens.shape[1]  # at most; what is masked is not known
        else:
            longest = int(token_mask.sum(1).max()) if len(tokens) else 0
        if longest > steps:
            raise ConfigError(
                f"Expected at most left_padding={steps} tokens per sentence, got {longest}; lower "
                "the tokenizer's max_words."
            )
        filled, filled_mask = pad_left(tokens, token_mask, steps)
        embedded, states = self._read(filled)
        words, _ = pad_right(self._words(embedded, states), filled_mask)
        words = functional.pad(words, (0, 0, 0, tokens.shape[1] - steps))  # as wide as it came
        _, token_mask = pad_right(tokens, token_mask)
        return TextFeatures(words, self.dropout(states[:, -1]), token_mask)

    def _read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.dropout(self.embedding(tokens))
        # Next to a fusion it costs nothing, and rounding would add up from word to word.
        with without_autocast(embedded.device):
            if torch.compiler.is_exporting():
                from refseg.models.recurrence import is_number_of_words_open, scanned_lstm

                if is_number_of_words_open(tokens):
                    return embedded, scanned_lstm(embedded, dict(self.lstm.named_parameters()), 1)
            states, _ = self.lstm(embedded)
        return embedded, states

    def _words(self, embedded: Tensor, states: Tensor) -> Tensor:
        so_far = functional.normalize(full_precision(states), dim=-1, eps=1e-6).to(states.dtype)
        return so_far if self.word_features == "state" else torch.cat([embedded, so_far], dim=-1)


def _embedding_dim(asked: int | None, vectors: str | None) -> int:
    if vectors is None:
        return 1000 if asked is None else asked
    from refseg.models.weights.word_vectors import vector_length

    length = vector_length(vectors)
    if asked not in {None, length}:
        raise ConfigError(
            f"Expected embedding_dim {length:,} (or null), the length of the vectors in {vectors}, "
            f"got {asked:,}; change it, or name other vectors."
        )
    return length


@torch.no_grad()
def initialize_lstm(lstm: nn.LSTM) -> None:
    """Start an LSTM as the papers do: Glorot kernels, zero biases, and a forget bias of one.

    TensorFlow's `BasicLSTMCell` adds the one in each step; here it is part of the learned bias,
    which computes the same.
    """
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight"):
            for gate in parameter.chunk(4):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                parameter.chunk(4)[1].fill_(1.0)  # torch's gate order: input, forget, cell, output
