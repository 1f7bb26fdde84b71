"""Normalisations against numbers worked out by hand."""

import pytest
import torch
from torch.testing import assert_close

from refseg.models.backbones import Normalization, PrecomputedFeatures, SmallBackbone
from refseg.models.backbones.base import NormalizationName

PIXEL = torch.tensor([255, 51, 0], dtype=torch.uint8)[None, :, None, None]  # red, some green


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("imagenet", [0.515 / 0.229, -0.256 / 0.224, -0.406 / 0.225]),
        ("caffe_bgr", [-103.939, 51 - 116.779, 255 - 123.68]),
        ("ilsvrc_bgr", [-104.00698793, 51 - 116.66876762, 255 - 122.67891434]),
        ("vgg_rgb", [255 - 123.68, 51 - 116.779, -103.939]),
        ("half", [1.0, -0.6, -1.0]),
    ],
)
def test_pixel(name: NormalizationName, expected: list[float]) -> None:
    assert_close(Normalization(name)(PIXEL).flatten(), torch.tensor(expected))


def test_statistics_of_a_model() -> None:
    normalization = Normalization.from_statistics([0.5, 0.1, 0.0], [0.5, 0.1, 2.0])
    assert_close(normalization(PIXEL).flatten(), torch.tensor([1.0, 1.0, 0.0]))
    assert not normalization.state_dict()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_statistics_stay_exact_in_any_precision(dtype: torch.dtype) -> None:
    """`caffe_bgr` of a pixel: 255 - 123.68 is 131.5 with the mean that bfloat16 makes of it."""
    normalization = Normalization("caffe_bgr").to(dtype).to("cpu")
    found = normalization(PIXEL).flatten()
    assert found.dtype == dtype
    assert_close(found, torch.tensor([-103.939, 51 - 116.779, 255 - 123.68]).to(dtype))
    assert_close(normalization.mean.flatten(), torch.tensor([103.939, 116.779, 123.68]))
    assert normalization.to(torch.float32)(PIXEL).equal(Normalization("caffe_bgr")(PIXEL))


def test_a_backbone_without_stages_has_no_stem() -> None:
    """It is computed as a whole; asking for a stem is a mistake that python names."""
    backbone = PrecomputedFeatures(image_dim=4, stride=8)
    assert backbone.stages == ()
    assert not hasattr(backbone, "stem")
    assert hasattr(SmallBackbone(), "stem")
