"""Dilated networks against the same networks with their strides."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision import models
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.squeezenet import Fire

from refseg.models.backbones.atrous import dilate, margin, strides


def _shortcut(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))


def _units(family: str) -> list[nn.Module]:
    """A small network of stride 16 in the manner of a family."""
    torch.manual_seed(0)
    if family == "vgg":
        convolutions = [(3, 8), (8, 8), (8, 8), (8, 8)]
        return [
            layer
            for sizes in convolutions
            for layer in (nn.Conv2d(*sizes, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2))
        ]
    if family == "squeezenet":
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        stem = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), pool, Fire(8, 4, 4, 4), deepcopy(pool)]
        return [*stem, Fire(8, 4, 4, 4), deepcopy(pool), Fire(8, 4, 4, 4), Fire(8, 4, 4, 4)]
    stem = [
        nn.Sequential(nn.Conv2d(3, 8, 7, 2, padding=3), nn.ReLU()),
        nn.MaxPool2d(3, 2, padding=1),
    ]
    if family == "resnet-basic":
        blocks = [BasicBlock(8, 8, 2, _shortcut(8, 8)), BasicBlock(8, 8)] * 2
    elif family == "resnet-bottleneck":
        blocks = [Bottleneck(8, 2, 2, _shortcut(8, 8)), Bottleneck(8, 2)] * 2
    else:
        blocks = [InvertedResidual(8, 8, 2, 2), InvertedResidual(8, 8, 1, 2)] * 2
    return [*stem, *map(deepcopy, blocks)]


def _run(units: list[nn.Module], features: Tensor) -> Tensor:
    return nn.Sequential(*units).eval()(features)


@pytest.mark.parametrize(
    "family", ["vgg", "squeezenet", "resnet-basic", "resnet-bottleneck", "mobilenet"]
)
@pytest.mark.parametrize("stride", [4, 8])
def test_original_values_are_found_again(family: str, stride: int) -> None:
    """The dense map holds the original one, at every 2nd or 4th place, up to its borders."""
    units, images = _units(family), torch.randn(1, 3, 64, 96)
    original = _run(deepcopy(units), images)
    assert strides(units)[-1] == 16
    dense = _run(dilate(units, stride), images)
    step = 16 // stride
    first = step - 1 if family == "squeezenet" else 0  # its poolings start one cell further in
    found = dense[..., first::step, first::step]
    assert found.shape == original.shape
    assert_close(found, original, rtol=1e-4, atol=1e-5)
    assert original.std() > 1e-3


def test_native_stride_leaves_the_network_alone() -> None:
    units, images = _units("squeezenet"), torch.randn(1, 3, 64, 64)
    assert torch.equal(_run(deepcopy(units), images), _run(dilate(units, 16), images))


def test_equals_torchvisions_own_dilation() -> None:
    """Torchvision offers it for networks of bottlenecks only."""
    torch.manual_seed(0)
    theirs = models.resnet50(replace_stride_with_dilation=[False, True, True]).eval()
    ours = models.resnet50().eval()
    ours.load_state_dict(theirs.state_dict())
    stages = [ours.layer1, ours.layer2, ours.layer3, ours.layer4]
    units = [ours.conv1, ours.bn1, ours.relu, ours.maxpool, *(b for stage in stages for b in stage)]
    images = torch.randn(1, 3, 64, 64)
    theirs.avgpool, theirs.fc = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    expected = theirs(images).view(1, 2048, 8, 8)
    assert_close(_run(dilate(units, 8), images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("family", "stride", "pixels"), [("squeezenet", 8, 7), ("vgg", 8, 0)])
def test_margin_is_the_least_that_gives_the_cells(family: str, stride: int, pixels: int) -> None:
    units = _units(family)
    assert margin(units, stride) == pixels
    dense = dilate(units, stride)
    enough, short = torch.zeros(1, 3, 5 * 8 + pixels, 64), torch.zeros(1, 3, 5 * 8 + pixels - 2, 64)
    assert _run(dense, enough).shape[2] == 5
    assert _run(dense, short).shape[2] <= 5
