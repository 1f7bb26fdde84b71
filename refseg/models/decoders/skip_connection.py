"""From coarse maps to fine ones, each finer map concatenated on the way: the decoder of LAVT."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.pyramid import convolution
from refseg.models.decoders.base import Decoder
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class SkipConnectionDecoder(Decoder):
    """Enlarges the coarsest map and concatenates it with the next finer one, up to the finest.

    After each concatenation two 3×3 convolutions follow, each with batch normalisation and ReLU;
    after the last, a 1×1 convolution gives one logit per cell. All enlarging is bilinear, with the
    corners of the maps on each other (`align_corners=True`).

    Unlike the original, which has a logit for the background and one for the foreground, there is
    one: their difference. Probability, prediction and loss are the same. Adam moves a difference of
    two weights by twice its rate, hence a learning-rate factor of 2 for `decoder.classifier.*`
    trains as the original does.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        hidden_dim: channels of the convolutions. null: half of those of the coarsest map, as in the
            original.

    References:
        Yang et al., *LAVT: Language-Aware Vision Transformer for Referring Image Segmentation*,
        CVPR 2022, https://arxiv.org/abs/2112.02244, section 3.4.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 6, 4, 4))
        >>> SkipConnectionDecoder((3, 6), 1, 1)(maps, text, (16, 16)).logits.shape
        torch.Size([2, 16, 16])
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        hidden_dim = max(1, dims[-1] // 2) if hidden_dim is None else hidden_dim
        self.blocks = nn.ModuleList()  # from coarse to fine
        width = dims[-1]
        for dim in reversed(dims[:-1]):
            self.blocks.append(
                nn.Sequential(
                    convolution(width + dim, hidden_dim), convolution(hidden_dim, hidden_dim)
                )
            )
            width = hidden_dim
        self.classifier = nn.Conv2d(width, 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        *finer_maps, merged = (each.to(self.classifier.weight.dtype) for each in fused)
        for block, finer in zip(self.blocks, reversed(finer_maps), strict=True):
            h, w = finer.shape[-2:]
            enlarged = self.enlarge(merged, (h, w))
            merged = block(torch.cat([enlarged, finer], dim=1))
        return Output(self.enlarge(in_full_precision(self.classifier, merged), size)[:, 0])

    def enlarge(
        self, maps: Float[Tensor, " n dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " n dim height width"]:
        """Bring any map to `size`, the corners of both on each other."""
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
