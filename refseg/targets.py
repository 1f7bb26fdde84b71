"""What the papers train on: one value per cell of the feature grid instead of one per pixel."""

from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional


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
