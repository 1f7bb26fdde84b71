"""From fused features to one logit per pixel."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Decoder(nn.Module, ABC):
    """Turns fused features into logits in network size; built from `(fused_dim)`."""

    @abstractmethod
    def forward(
        self, fused: Float[Tensor, " expressions fused_dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " expressions height width"]:
        """Decode to `size`, (height, width) in pixels."""


class BilinearDecoder(Decoder):
    """One logit per cell by a 1×1 convolution, then bilinear upsampling.

    Args:
        fused_dim: channels of the fused features; supplied by the fusion.
        dropout: share of the fused features dropped in training; 0 in both papers.
    """

    def __init__(self, fused_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(fused_dim, 1, 1)

    def forward(
        self, fused: Float[Tensor, " expressions fused_dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " expressions height width"]:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.classifier(self.dropout(fused))
        return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)[:, 0]
