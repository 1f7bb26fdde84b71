"""From coarse maps to fine ones, doubled level by level: the decoder of DMN."""

from collections.abc import Sequence

import torch
from torch import nn

from refseg.models.decoders.base import Decoder
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class UpsamplingDecoder(Decoder):
    """Doubles the fused map level by level, each time beside a finer map of the backbone.

    From coarse to fine: bring the map to the size of the finer one, concatenate, double the size
    bilinearly, convolve 3×3, PReLU. A 1×1 convolution gives one logit per cell, and what is missing
    to network size is interpolated.

    Unlike here, the paper's code concatenates the coarsest map of the backbone as well. Fusions of
    refseg put the fused map in its place, so that the next finer one is the first.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion, which lets
            the finer ones pass by.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        hidden_dim: channels of the first convolution, 512 in the paper; each further one has half
            of the one before.

    References:
        Margffoy-Tuay et al., *Dynamic Multimodal Instance Segmentation Guided by Natural Language
        Queries*, ECCV 2018, https://arxiv.org/abs/1807.02257, section 3.4.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 6, 4, 4))
        >>> UpsamplingDecoder((3, 6), 1, 1, hidden_dim=4)(maps, text, (32, 32)).logits.shape
        torch.Size([2, 32, 32])
    """

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, hidden_dim: int = 512
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()  # from coarse to fine
        width = dims[-1]
        for level, dim in enumerate(reversed(dims[:-1])):
            outputs = max(1, hidden_dim // 2**level)
            convolution = nn.Conv2d(width + dim, outputs, 3, padding=1)
            self.blocks.append(nn.Sequential(convolution, nn.PReLU()))
            width = outputs
        self.classifier = nn.Conv2d(width, 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        *finer_maps, merged = (each.to(self.classifier.weight.dtype) for each in fused)
        for block, finer in zip(self.blocks, reversed(finer_maps), strict=True):
            h, w = finer.shape[-2], finer.shape[-1]
            beside = torch.cat([self.enlarge(merged, (h, w)), finer], dim=1)
            merged = block(self.enlarge(beside, (2 * h, 2 * w)))
        return Output(self.enlarge(in_full_precision(self.classifier, merged), size)[:, 0])
