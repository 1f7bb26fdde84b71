"""Where a cell lies in the image: the eight numbers both papers append to its features."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor


def coordinates(h: int, w: int, device: torch.device | None = None) -> Float[Tensor, " 8 h w"]:
    """The position of every cell of a grid, in [-1, 1], and the size of a cell.

    Channels: left, top, right, bottom edge, horizontal and vertical centre, 1/w, 1/h.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.3.

    Example:
        >>> coordinates(1, 2)[:, 0, 0]
        tensor([-1.0000, -1.0000,  0.0000,  1.0000, -0.5000,  0.0000,  0.5000,  1.0000])
    """
    rows = torch.arange(h, dtype=torch.float64, device=device)[:, None].expand(h, w)
    columns = torch.arange(w, dtype=torch.float64, device=device)[None, :].expand(h, w)
    left, right = 2 * columns / w - 1, 2 * (columns + 1) / w - 1
    top, bottom = 2 * rows / h - 1, 2 * (rows + 1) / h - 1
    cell = (torch.full_like(left, 1 / w), torch.full_like(left, 1 / h))
    channels = (left, top, right, bottom, (left + right) / 2, (top + bottom) / 2, *cell)
    return torch.stack(channels).float()


def box_coordinates(
    boxes: Int64[Tensor, " boxes 4"], width: int, height: int
) -> Float64[Tensor, " boxes 8"]:
    """The position of boxes in an image, in [-1, 1], as LSTM-CNN's first stage describes them.

    Channels as in `coordinates`, but for the last two, which are the width and height of the box:
    a box of one cell has twice the value there that the cell has in the later stages.

    Args:
        boxes: left, top, right and bottom pixel, the last two inclusive.
        width: of the image, pixels.
        height: of the image, pixels.

    Example:
        >>> box_coordinates(torch.tensor([[0, 10, 20, 30]]), width=40, height=40)[0].tolist()
        [-1.0, -0.5, 0.0, 0.5, -0.5, 0.0, 1.0, 1.0]
    """
    left, top, right, bottom = boxes.double().unbind(1)
    left, right = 2 * left / width - 1, 2 * right / width - 1
    top, bottom = 2 * top / height - 1, 2 * bottom / height - 1
    centre = ((left + right) / 2, (top + bottom) / 2)
    return torch.stack([left, top, right, bottom, *centre, right - left, bottom - top], dim=1)
