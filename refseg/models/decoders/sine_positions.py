"""Where a cell lies, as sines and cosines that attention can compare."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sine_positions(
    h: int, w: int, dim: int, device: torch.device | None = None
) -> Float[Tensor, " dim h w"]:
    """Sines and cosines of the row and the column of each cell, at falling frequencies.

    The first half of the channels is about the row, the second about the column; in each, sine and
    cosine take turns. Rows and columns are counted from 1 and divided by their number, so that the
    last one is at 2π, whatever the size of the map.

    Args:
        h: rows of the map.
        w: columns of the map.
        dim: channels, a multiple of 4.
        device: of the result, which is float32.

    References:
        Carion et al., *End-to-End Object Detection with Transformers*, ECCV 2020,
        https://arxiv.org/abs/2005.12872, appendix A.4, as Mask2Former computes it.

    Example:
        >>> sine_positions(1, 2, 4)[3].round(decimals=2)  # cosine of the column: of π and of 2π
        tensor([[-1.,  1.]])
    """
    quarter = dim // 4
    wavelengths = 10000 ** (torch.arange(quarter, dtype=torch.float32, device=device) / quarter)
    axes = []
    for count in (h, w):
        steps = torch.arange(1, count + 1, dtype=torch.float32, device=device)
        angles = 2 * math.pi * steps / (count + 1e-6) / wavelengths[:, None]
        axes.append(torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1))
    rows, columns = axes
    return torch.cat([rows[:, :, None].expand(-1, h, w), columns[:, None].expand(-1, h, w)])
