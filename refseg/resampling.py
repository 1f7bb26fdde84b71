"""Resizing as the papers' code did it: bilinear, not antialiased, black beyond the border.

It is what `resize` of scikit-image 0.13 computes, up to its clipping. Pixel centres lie on pixel
centres; outside of the image everything is 0, so that borders fade when an image grows. The weights
are worked out from integers: what no foreground touches is exactly 0. (There the original has
rounding noise, which its `> 0` calls foreground.)
"""

from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Maps = TypeVar("Maps", np.ndarray, Tensor)


@lru_cache(maxsize=256)
def _taps(inputs: int, outputs: int) -> tuple[np.ndarray, ...]:
    """For each output the two inputs beside it, and their weights; 0 beyond the border."""
    numerator = (2 * np.arange(outputs) + 1) * inputs - outputs
    first, rest = np.divmod(numerator, 2 * outputs)
    share = rest / (2 * outputs)
    indices = np.stack([first, first + 1])
    inside = (indices >= 0) & (indices < inputs)
    weights = np.stack([1 - share, share]) * inside
    return (*indices.clip(0, inputs - 1), *weights)


def resize(maps: Maps, height: int, width: int) -> Maps:
    """Resize the last two axes.

    Args:
        maps: arrays or tensors of floats.
        height: rows of the result.
        width: columns of the result.

    Example:
        >>> resize(np.array([[0.0, 1.0]]), 1, 4)
        array([[0.  , 0.25, 0.75, 0.75]])
    """
    return _along(_along(maps, -2, height), -1, width)


def _along(maps: Maps, axis: int, outputs: int) -> Maps:
    first, second, near, far = _taps(maps.shape[axis], outputs)
    shape = (-1, 1) if axis == -2 else (-1,)
    if isinstance(maps, Tensor):
        positions = [torch.from_numpy(index).to(maps.device) for index in (first, second)]
        shares = [torch.from_numpy(w).to(maps).view(shape) for w in (near, far)]
        parts = [maps.index_select(axis, position) for position in positions]
        return parts[0] * shares[0] + parts[1] * shares[1]
    return maps.take(first, axis) * near.reshape(shape) + maps.take(second, axis) * far.reshape(
        shape
    )
