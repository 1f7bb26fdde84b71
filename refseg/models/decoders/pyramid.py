"""From coarse cells to finer maps, one convolution after the other."""

from collections.abc import Sequence

from torch import Tensor, nn

from refseg.models.backbones.pyramid import convolution
from refseg.models.decoders.base import Decoder
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class PyramidDecoder(Decoder):
    """Outlines what was found in coarse cells on finer maps, then one logit per fine cell.

    The fusion says where the object is, in coarse cells; the finer maps, which it lets pass by,
    show edges. From coarse to fine: enlarge, add the finer map at the same width, convolve. The
    result is enlarged bilinearly from the finest map.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        hidden_dim: channels that all maps are brought to.

    References:
        Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017,
        https://arxiv.org/abs/1612.03144, section 3, here with a convolution after each addition.

    Example:
        >>> import torch
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4))
        >>> PyramidDecoder((3, 5), 1, 1, hidden_dim=4)(maps, text, (16, 16)).logits.shape
        torch.Size([2, 16, 16])
    """

    def __init__(
        self, dims: Sequence[int], word_dim: int, sentence_dim: int, hidden_dim: int = 32
    ) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(dim, hidden_dim, 1) for dim in dims)
        self.smoothing = nn.ModuleList(convolution(hidden_dim, hidden_dim) for _ in dims)
        self.classifier = nn.Conv2d(hidden_dim, 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        merged: Tensor | None = None
        for lateral, smooth, each in zip(
            reversed(self.laterals), reversed(self.smoothing), reversed(fused), strict=True
        ):
            finer = lateral(each.to(self.classifier.weight.dtype))
            if merged is not None:
                finer = finer + self.enlarge(merged, finer.shape[-2:])
            merged = smooth(finer)
        assert merged is not None
        return Output(self.enlarge(in_full_precision(self.classifier, merged), size)[:, 0])
