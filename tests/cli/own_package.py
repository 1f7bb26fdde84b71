"""A package of a user's own, with a class of each kind: tests copy this file into a folder."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from refseg.losses import Loss
from refseg.models.backbones import Backbone
from refseg.models.decoders import Decoder
from refseg.models.fusion import Fusion
from refseg.models.segmenter import (
    BackboneFactory,
    DecoderFactory,
    FusionFactory,
    Segmenter,
    TextEncoderFactory,
)
from refseg.models.text_encoders import TextEncoder
from refseg.types import Batch, Maps, Output, TextFeatures


class MyBackbone(Backbone):
    """One convolution."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.dims, self.strides = (width,), (8,)
        self.patches = nn.Conv2d(3, width, 8, stride=8)

    def maps(self, images: Tensor, until: int | None = None) -> Maps:
        return (self.patches(images / 255 - 0.5).relu(),)


class MyEncoder(TextEncoder):
    """The mean of the words' vectors."""

    def __init__(self, vocab_size: int, dim: int = 6) -> None:
        super().__init__()
        self.word_dim = self.sentence_dim = dim
        self.embedding = nn.Embedding(vocab_size, dim)

    def forward(self, tokens: Tensor, token_mask: Tensor) -> TextFeatures:
        words = self.embedding(tokens) * token_mask[..., None]
        count = token_mask.sum(1, keepdim=True).clamp(min=1)
        return TextFeatures(words, words.sum(1) / count, token_mask)


class MyFusion(Fusion):
    """FiLM: the sentence scales and shifts."""

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, hidden_dim: int = 8
    ) -> None:
        super().__init__()
        self.dims = (hidden_dim,)
        self.project = nn.Conv2d(dims[-1], hidden_dim, 1)
        self.speak = nn.Linear(sentence_dim, 2 * hidden_dim)

    def forward(self, maps: Maps, text: TextFeatures, image_index: Tensor) -> Maps:
        scale, shift = self.speak(text.sentence)[:, :, None, None].chunk(2, dim=1)
        return ((self.project(maps[-1])[image_index] * scale + shift).relu(),)


class MyDecoder(Decoder):
    """Two layers for each cell."""

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, width: int = 4
    ) -> None:
        super().__init__()
        self.inner, self.classifier = nn.Conv2d(dims[-1], width, 1), nn.Conv2d(width, 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        cells = self.classifier(self.inner(fused[-1]).relu())
        return Output(self.enlarge(cells, size)[:, 0])


class MySegmenter(Segmenter):
    """Multiplies the logits by a number that it learns."""

    def __init__(
        self,
        backbone: BackboneFactory,
        text_encoder: TextEncoderFactory,
        fusion: FusionFactory,
        decoder: DecoderFactory,
        vocab_size: int,
        name_words: bool = False,
        start: float = 1.0,
    ) -> None:
        super().__init__(backbone, text_encoder, fusion, decoder, vocab_size, name_words)
        self.sharpness = nn.Parameter(torch.tensor(start))

    def answer(self, seen: Maps, batch: Batch, image_index: Tensor) -> Output:
        output = super().answer(seen, batch, image_index)
        return replace(output, logits=output.logits * self.sharpness)


class MyLoss(Loss):
    """Cross-entropy of the pixels."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: Output, batch: Batch) -> Tensor:
        assert batch.masks is not None
        loss = functional.binary_cross_entropy_with_logits(output.logits, batch.masks.float())
        return torch.as_tensor(self.weight) * loss


class MySchedule(LambdaLR):
    """Less with every step."""

    def __init__(self, optimizer: Optimizer, decay: float = 0.9) -> None:
        super().__init__(optimizer, lambda step: decay**step)
