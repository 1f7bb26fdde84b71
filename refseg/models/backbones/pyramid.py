"""Feature maps of several strides merged into one."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.types import Maps


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution, 3×3 unless `kernel` says otherwise, with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FeaturePyramid(nn.Module):
    """Adds coarse maps, which see the whole scene, to finer ones, which see outlines.

    One width for all maps by 1×1 convolutions, then from coarse to fine: enlarge, add. A 3×3
    convolution smooths the sum. Unlike the original, which predicts at every level, only the
    finest is returned.

    Args:
        dims: channels of the maps, from fine to coarse.
        dim: channels of the result.

    References:
        Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017,
        https://arxiv.org/abs/1612.03144, section 3.

    Example:
        >>> import torch
        >>> maps = (torch.rand(1, 4, 10, 8), torch.rand(1, 6, 5, 4))
        >>> FeaturePyramid([4, 6], dim=3)(maps).shape
        torch.Size([1, 3, 10, 8])
    """

    def __init__(self, dims: Sequence[int], dim: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(each, dim, 1) for each in dims)
        self.head = convolution(dim, dim)

    def forward(self, maps: Maps) -> Float[Tensor, " _ dim h w"]:
        """Merge the maps, given from fine to coarse, at the size of the finest."""
        merged = self.laterals[-1](maps[-1])
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            merged = lateral(finer) + functional.interpolate(
                merged, size=finer.shape[-2:], mode="bilinear", align_corners=False
            )
        return self.head(merged)
