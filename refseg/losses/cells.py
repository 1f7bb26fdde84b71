"""A loss of cells instead of pixels, as both papers train in low resolution."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.losses.base import MaskLoss


class CellLoss(MaskLoss):
    """A loss on one logit per cell of the feature grid, as both papers train in low resolution.

    The logit of a cell is read off the pixel on which the decoder leaves it unchanged: the upper
    left one of the cell (`BilinearDecoder` with a `legacy` grid: RMI), or the middle one
    (`DeconvolutionDecoder` with its filter as it starts: LSTM-CNN). So loss and gradient are
    exactly those of the grid, and the prediction in network size stays what is evaluated.

    Args:
        loss: of logits and targets of cells.
        stride: pixels per cell, the backbone's; 8 in RMI, 32 in LSTM-CNN.
        target: what makes a cell foreground: `subsampled`, its upper left pixel (RMI), or
            `any_foreground`, any of its pixels (LSTM-CNN).
        value: the pixel that has the logit of the cell, `first` or `middle`.

    Raises:
        ConfigError: the stride is not positive, or does not divide the size of the logits.

    Example:
        >>> import torch
        >>> from refseg.losses import WeightedLogisticLoss
        >>> loss = CellLoss(WeightedLogisticLoss(reduction="sum"), stride=2)
        >>> logits = torch.arange(16.0).view(1, 4, 4)  # of the four cells: 0, 2, 8, 10
        >>> loss.of_masks(logits, logits > 1).round(decimals=2)
        tensor(0.8200)
    """

    def __init__(
        self,
        loss: MaskLoss,
        stride: int,
        target: Literal["subsampled", "any_foreground"] = "subsampled",
        value: Literal["first", "middle"] = "first",
    ) -> None:
        super().__init__()
        if stride < 1:
            raise ConfigError(f"Expected a stride of at least 1 pixel, got {stride}.")
        self.loss, self.stride = loss, stride
        self.targets = {"subsampled": subsampled, "any_foreground": any_foreground}[target]
        self.offset = 0 if value == "first" else stride // 2

    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the loss of the cells of a batch."""
        height, width = logits.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ConfigError(
                f"Expected images of whole cells of {self.stride} pixels for CellLoss, got "
                f"{height} × {width} pixels; change data.image_size, or the stride of the loss."
            )
        cells = logits[:, self.offset :: self.stride, self.offset :: self.stride]
        return self.loss.of_masks(cells, self.targets(masks, self.stride))


def subsampled(
    masks: Bool[Tensor, " expressions height width"], stride: int
) -> Bool[Tensor, " expressions h w"]:
    """The pixel at the upper left of each cell, as RMI takes it (stride 8).

    A thin object between these pixels vanishes. It is what TensorFlow's bilinear downsampling
    gives, and where legacy upsampling puts the value of the cell.

    Args:
        masks: in network size.
        stride: pixels per cell.

    Example:
        >>> import torch
        >>> subsampled(torch.eye(4, dtype=torch.bool)[None], stride=2)
        tensor([[[ True, False],
                 [False,  True]]])
    """
    return masks[:, ::stride, ::stride]


def any_foreground(
    masks: Bool[Tensor, " expressions height width"], stride: int
) -> Bool[Tensor, " expressions h w"]:
    """Whether a cell has any foreground, as in the low-resolution stage of LSTM-CNN (stride 32).

    Args:
        masks: in network size; cells at the lower and right border may be incomplete.
        stride: pixels per cell.

    Example:
        >>> import torch
        >>> any_foreground(torch.eye(4, dtype=torch.bool)[None, :3], stride=2)
        tensor([[[ True, False],
                 [False,  True]]])
    """
    most = functional.max_pool2d(masks[:, None].float(), stride, ceil_mode=True)
    return most[:, 0] > 0
