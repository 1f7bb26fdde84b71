"""One logit per cell, enlarged by a filter that is learned: the decoder of LSTM-CNN."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from refseg.models.decoders.base import Decoder
from refseg.models.parameters import start_normal
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class DeconvolutionDecoder(Decoder):
    """One logit per cell, enlarged by a transposed convolution that is learned: LSTM-CNN's.

    Its filter is two cells wide and starts as bilinear interpolation. Beyond the border there is
    nothing, so that logits fade there. Images that are not a whole number of cells are cut at the
    lower right; another size than the filter's is reached bilinearly.

    Args:
        dims: channels of the fused maps, of which the coarsest is decoded; supplied by the fusion.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        stride: pixels per cell, the backbone's; 32 in the paper, with a filter of 64×64.
        learned: train the filter, as in the paper's last stage; before that, it only interpolates.
        initial_std: of the normal distribution that the classifier starts from; 0.1 in the
            paper's code. None: torch's way.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.4.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        stride: int = 32,
        learned: bool = True,
        initial_std: float | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.classifier = nn.Conv2d(dims[-1], 1, 1)
        self.upsampling = nn.ConvTranspose2d(1, 1, 2 * stride, stride, bias=False)
        with torch.no_grad():
            self.upsampling.weight.copy_(bilinear_filter(stride))
        self.upsampling.requires_grad_(learned)
        if initial_std is not None:
            start_normal([self.classifier], initial_std)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.upsample(self.cell_logits(fused, text))
        surplus = [have - wanted for have, wanted in zip(logits.shape[-2:], size, strict=True)]
        if all(0 <= pixels < self.stride for pixels in surplus):
            return Output(logits[:, : size[0], : size[1]])
        return Output(self.enlarge(logits[:, None], size)[:, 0])

    def upsample(
        self, cell_logits: Float[Tensor, " expressions h w"]
    ) -> Float[Tensor, " expressions height width"]:
        """The logits of pixels, `stride` times as many on each side as cells."""
        height, width = (size * self.stride for size in cell_logits.shape[-2:])
        start = self.stride // 2
        full = in_full_precision(self.upsampling, cell_logits[:, None])[:, 0]
        return full[:, start : start + height, start : start + width]

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the coarsest map."""
        return in_full_precision(self.classifier, fused[-1])[:, 0]


def bilinear_filter(stride: int) -> Float[Tensor, " taps taps"]:
    """The filter that makes a transposed convolution interpolate, as LSTM-CNN's code has it.

    Its first row and column are 0 and its peak is the tap number `stride`: unlike the symmetric
    filter of FCN, it puts the value of a cell on one pixel.

    Example:
        >>> bilinear_filter(2)[2]
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    taps = 1 - (torch.arange(2 * stride) - stride).abs() / stride
    return taps[:, None] * taps
