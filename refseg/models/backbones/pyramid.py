"""Feature maps of several strides merged into one."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution, 3×3 unless `kernel` says otherwise, with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FeaturePyramid(nn.Module):
    """Adds coarse feature maps, which see the whole scene, to finer ones, which see outlines.

    One width for all levels by 1×1 convolutions, then from coarse to fine: enlarge, add. A 3×3
    convolution smooths the sum. Unlike the original, which predicts at every level, only the
    finest is returned.

    Args:
        level_dims: channels of the levels, from fine to coarse.
        image_dim: channels of the result.

    References:
        Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017,
        https://arxiv.org/abs/1612.03144, section 3.

    Example:
        >>> import torch
        >>> levels = [torch.rand(1, 4, 10, 8), torch.rand(1, 6, 5, 4)]
        >>> FeaturePyramid([4, 6], image_dim=3)(levels).shape
        torch.Size([1, 3, 10, 8])
    """

    def __init__(self, level_dims: Sequence[int], image_dim: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(level, image_dim, 1) for level in level_dims)
        self.head = convolution(image_dim, image_dim)

    def forward(
        self, levels: Sequence[Float[Tensor, " images _ _ _"]]
    ) -> Float[Tensor, " images image_dim h w"]:
        """Merge the levels, given from fine to coarse, at the size of the finest."""
        merged = self.laterals[-1](levels[-1])
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(levels[:-1]), strict=True):
            merged = lateral(finer) + functional.interpolate(
                merged, size=finer.shape[-2:], mode="bilinear", align_corners=False
            )
        return self.head(merged)
