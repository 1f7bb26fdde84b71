"""The pixels of a fine map, compared with what coarse cells look for."""

from collections.abc import Sequence

from torch import nn

from refseg.models.backbones.pyramid import convolution
from refseg.models.decoders.base import Decoder
from refseg.precision import full_precision, in_full_precision
from refseg.types import Maps, Output, TextFeatures


class MaskEmbeddingDecoder(Decoder):
    """Compares each pixel of a fine map with what the cell around it is looking for.

    The fusion says what is meant, in coarse cells; the finest map, which it lets pass by, says what
    each of its pixels belongs to. A cell gives a vector, the mask embedding, and a number, which
    are interpolated between the cells. The logit of a fine pixel is the scalar product of its own
    vector with the mask embedding at its place, plus the number there. Unlike in `PyramidDecoder`,
    nothing is convolved on the fine map for each expression.

    Args:
        dims: channels of the fused maps, of which the finest and the coarsest are used; supplied by
            the fusion.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        hidden_dim: channels of the 3×3 convolution over the coarsest map.

    References:
        Cheng, Schwing, Kirillov, *Per-Pixel Classification is Not All You Need for Semantic
        Segmentation* (MaskFormer), NeurIPS 2021, https://arxiv.org/abs/2107.06278, section 3.2,
        which has one mask embedding per query; here each cell has its own.

    Example:
        >>> import torch
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4))
        >>> MaskEmbeddingDecoder((3, 5), 1, 1, hidden_dim=4)(maps, text, (16, 16)).logits.shape
        torch.Size([2, 16, 16])
    """

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, hidden_dim: int = 32
    ) -> None:
        super().__init__()
        self.context = convolution(dims[-1], hidden_dim)
        self.classifier = nn.Conv2d(hidden_dim, dims[0] + 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        pixels = full_precision(fused[0])
        context = self.context(fused[-1].to(self.classifier.weight.dtype))
        cells = in_full_precision(self.classifier, context)
        h, w = pixels.shape[-2:]
        sought = self.enlarge(cells, (h, w))
        logits = (sought[:, :-1] * pixels).sum(1, keepdim=True) + sought[:, -1:]
        return Output(self.enlarge(logits, size)[:, 0])
