"""The papers' text encoder: word embeddings and one LSTM."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.text_encoders.base import TextEncoder
from refseg.types import TextFeatures


class LSTMEncoder(TextEncoder):
    """Embeds words and reads them with an LSTM from left to right.

    The vector of a word is its embedding followed by the L2-normalised state of the LSTM after it:
    the word, and the sentence so far (what RMI feeds to the mLSTM). The vector of the sentence is
    the state after its last word (what LSTM-CNN tiles over the image).

    Args:
        vocab_size: number of token ids; supplied by the data.
        embedding_dim: length of a word embedding; 1000 in both papers.
        hidden_dim: length of the LSTM's state; 1000 in both papers.
        embedding_range: embeddings start uniform in ±`embedding_range`; 0.08 in RMI.
        dropout: share of embedding and sentence features dropped in training; 0 in both papers.

    References:
        Liu et al., *Recurrent Multimodal Interaction for Referring Image Segmentation*, ICCV 2017,
        https://arxiv.org/abs/1703.07939, section 3.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 1000,
        hidden_dim: int = 1000,
        embedding_range: float = 0.08,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.word_dim, self.sentence_dim = embedding_dim + hidden_dim, hidden_dim
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -embedding_range, embedding_range)
        initialize_lstm(self.lstm)

    def forward(
        self,
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> TextFeatures:
        """Encode a batch of tokenised expressions; one without words has the zero sentence."""
        embedded = self.dropout(self.embedding(tokens))
        states, _ = self.lstm(embedded)
        lengths = token_mask.sum(1)
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[-1])
        sentence = states.gather(1, last)[:, 0] * (lengths > 0)[:, None]
        words = torch.cat([embedded, functional.normalize(states, dim=-1, eps=1e-6)], dim=-1)
        return TextFeatures(words, self.dropout(sentence), token_mask)


@torch.no_grad()
def initialize_lstm(lstm: nn.LSTM) -> None:
    """Start an LSTM as the papers do: Glorot kernels, zero biases, and a forget bias of one.

    TensorFlow's `BasicLSTMCell` adds the one in each step; here it is part of the learned bias,
    which computes the same and trains the same.
    """
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight"):
            for gate in parameter.chunk(4):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                parameter.chunk(4)[1].fill_(1.0)  # torch's gate order: input, forget, cell, output
