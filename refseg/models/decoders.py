"""From fused features to one logit per pixel."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.parameters import start_normal, start_xavier
from refseg.precision import in_full_precision


class Decoder(nn.Module, ABC):
    """Turns fused features into logits in network size; built from `(fused_dim)`.

    The logits are float32 (float64, if the weights are) in any precision of the trainer, and so is
    what is between the classifier and them: loss, prediction and score depend on their last bits.
    What is fused may be float32 where weights are not; `in_full_precision` takes both.
    """

    @abstractmethod
    def forward(
        self, fused: Float[Tensor, " expressions fused_dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " expressions height width"]:
        """Decode to `size`, (height, width) in pixels."""

    def cells(
        self, fused: Float[Tensor, " expressions fused_dim h w"]
    ) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the feature grid, what RMI and LSTM-CNN's first stage train on."""
        h, w = fused.shape[-2:]
        return self(fused, (h, w))


class BilinearDecoder(Decoder):
    """One logit per cell by a 1×1 convolution, then bilinear upsampling.

    Args:
        fused_dim: channels of the fused features; supplied by the fusion.
        dropout: share of the fused features dropped in training; 0 in both papers.
        grid: where the logit of a cell lies: `centred` in the cell, or, as in RMI's code, `legacy`,
            on its upper left pixel (`legacy_upsample`), where RMI's training takes its target.
        initialization: of the classifier: `torch`, or `xavier` as in RMI's code, uniform by
            Glorot's rule with a bias of 0.
    """

    def __init__(
        self,
        fused_dim: int,
        dropout: float = 0.0,
        grid: Literal["centred", "legacy"] = "centred",
        initialization: Literal["torch", "xavier"] = "torch",
    ) -> None:
        super().__init__()
        self.grid = grid
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(fused_dim, 1, 1)
        if initialization == "xavier":
            start_xavier([self.classifier.weight], [self.classifier.bias])

    def forward(
        self, fused: Float[Tensor, " expressions fused_dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " expressions height width"]:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.cells(fused)[:, None]
        if self.grid == "legacy":
            return legacy_upsample(logits, size)[:, 0]
        return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)[:, 0]

    def cells(
        self, fused: Float[Tensor, " expressions fused_dim h w"]
    ) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the feature grid."""
        return in_full_precision(self.classifier, self.dropout(fused))[:, 0]


class DeconvolutionDecoder(Decoder):
    """One logit per cell, enlarged by a transposed convolution that is learned: LSTM-CNN's.

    Its filter is two cells wide and starts as bilinear interpolation. Beyond the border there is
    nothing, so that logits fade there. Images that are not a whole number of cells are cut at the
    lower right; another size than the filter's is reached bilinearly.

    Args:
        fused_dim: channels of the fused features; supplied by the fusion.
        stride: pixels per cell, the backbone's; 32 in the paper, with a filter of 64×64.
        learned: train the filter, as in the paper's last stage; before that, it only interpolates.
        initial_deviation: of the normal distribution that the classifier starts from; 0.1 in the
            paper's code. None: torch's way.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.4.
    """

    def __init__(
        self,
        fused_dim: int,
        stride: int = 32,
        learned: bool = True,
        initial_deviation: float | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.classifier = nn.Conv2d(fused_dim, 1, 1)
        self.upsampling = nn.ConvTranspose2d(1, 1, 2 * stride, stride, bias=False)
        with torch.no_grad():
            self.upsampling.weight.copy_(bilinear_filter(stride))
        self.upsampling.requires_grad_(learned)
        if initial_deviation is not None:
            start_normal([self.classifier], initial_deviation)

    def forward(
        self, fused: Float[Tensor, " expressions fused_dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " expressions height width"]:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.enlarge(self.cells(fused))
        surplus = [have - wanted for have, wanted in zip(logits.shape[-2:], size, strict=True)]
        if all(0 <= pixels < self.stride for pixels in surplus):
            return logits[:, : size[0], : size[1]]
        logits = logits[:, None]
        return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)[:, 0]

    def enlarge(
        self, cells: Float[Tensor, " expressions h w"]
    ) -> Float[Tensor, " expressions height width"]:
        """The logits of pixels, `stride` times as many on each side as cells."""
        height, width = (size * self.stride for size in cells.shape[-2:])
        start = self.stride // 2
        full = in_full_precision(self.upsampling, cells[:, None])[:, 0]
        return full[:, start : start + height, start : start + width]

    def cells(
        self, fused: Float[Tensor, " expressions fused_dim h w"]
    ) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the feature grid."""
        return in_full_precision(self.classifier, fused)[:, 0]


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


def legacy_upsample(
    maps: Float[Tensor, " n channels h w"], size: tuple[int, int]
) -> Float[Tensor, " n channels height width"]:
    """Bilinear resizing as in TensorFlow 1: the first pixels coincide, not the centres.

    The value of cell (i, j) lies on pixel (stride·i, stride·j); beyond the last cell its value goes
    on. Equal to `tf.image.resize_bilinear(align_corners=False)`, and unlike every mode of torch.

    Args:
        maps: what is enlarged.
        size: (height, width) of the result.

    Example:
        >>> legacy_upsample(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
        tensor([[[[0.0000, 0.5000, 1.0000, 1.0000]]]])
    """
    height, width = size
    padded = functional.pad(maps, (0, 1, 0, 1), mode="replicate")
    enlarged = functional.interpolate(
        padded, size=(height + 1, width + 1), mode="bilinear", align_corners=True
    )
    return enlarged[:, :, :height, :width]
