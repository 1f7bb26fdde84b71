"""The pyramid against a sum worked out by hand."""

import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.backbones import FeaturePyramid


def test_coarse_levels_are_enlarged_and_added() -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([2, 3, 4], dim=5).eval()
    pyramid.head = nn.Identity()  # type: ignore[assignment]  # look at what it is given
    levels = (torch.randn(1, 2, 9, 6), torch.randn(1, 3, 5, 3), torch.randn(1, 4, 3, 2))
    fine, middle, coarse = (
        functional.conv2d(level, lateral.weight, lateral.bias)
        for level, lateral in zip(levels, pyramid.laterals, strict=True)
    )
    enlarge = nn.UpsamplingBilinear2d  # aligns corners: not what we do
    expected = middle + functional.interpolate(coarse, (5, 3), mode="bilinear")
    expected = fine + functional.interpolate(expected, (9, 6), mode="bilinear")
    assert_close(pyramid(levels), expected)
    assert not torch.allclose(pyramid(levels), fine + enlarge((9, 6))(middle), atol=1e-2)


def test_every_level_matters() -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([2, 3], dim=5)
    levels = (
        torch.randn(2, 2, 8, 8, requires_grad=True),
        torch.randn(2, 3, 4, 4, requires_grad=True),
    )
    pyramid(levels).square().sum().backward()
    assert all(level.grad is not None and level.grad.any() for level in levels)
