"""VGG-16 as convolutions: torchvision's weights, what is trained, what weights want of pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torchvision import models

from refseg.errors import ConfigError
from refseg.models.backbones import VGG16FullyConvolutional

SMALL = {"image_dim": 5, "hidden_dim": 8, "width": 4}


@pytest.mark.slow
def test_torchvisions_weights_classify_a_crop(tmp_path: Path) -> None:
    """fc8 of a crop of 224×224 is what torchvision's network says of it."""
    torch.manual_seed(0)
    theirs = models.vgg16().eval()
    torch.save(theirs.state_dict(), tmp_path / "vgg16.pth")
    backbone = VGG16FullyConvolutional(str(tmp_path / "vgg16.pth"))
    assert backbone.chosen == "imagenet"
    crops = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        expected = theirs(backbone.normalization(crops))
        assert_close(backbone.vectors(crops)[:, :, 0, 0], expected, rtol=1e-4, atol=1e-5)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 138_357_544


@pytest.mark.parametrize(
    ("frozen", "trained"), [("convolutions", "head"), ("all", ""), ("nothing", "trunk head")]
)
def test_what_is_trained(frozen: str, trained: str) -> None:
    backbone = VGG16FullyConvolutional(frozen=frozen, **SMALL)  # type: ignore[arg-type]
    names = {name.split(".")[0] for name, p in backbone.named_parameters() if p.requires_grad}
    assert names == {*trained.split()}


def test_sizes_that_are_no_whole_number_of_cells() -> None:
    """TensorFlow's pooling keeps the last, incomplete cell; padding with zeros changes nothing."""
    torch.manual_seed(0)
    backbone = VGG16FullyConvolutional(**SMALL)  # type: ignore[arg-type]
    pooling = [layer for layer in backbone.trunk if isinstance(layer, nn.MaxPool2d)]
    assert len(pooling) == 5
    odd = torch.rand(1, 1, 7, 5)
    padded = nn.functional.pad(odd, (0, 1, 0, 1))
    assert torch.equal(pooling[0](odd), nn.functional.max_pool2d(padded, 2))


def test_weights_of_another_network(tmp_path: Path) -> None:
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"30 missing: head\.0\.weight"):
        VGG16FullyConvolutional(str(tmp_path / "other.pth"), **SMALL)  # type: ignore[arg-type]


def test_checkpoint_keeps_what_the_weights_want_of_pixels() -> None:
    backbone = VGG16FullyConvolutional(normalization="imagenet", **SMALL)  # type: ignore[arg-type]
    arguments = SMALL | backbone.portable_arguments()
    again = VGG16FullyConvolutional(**arguments)
    again.load_state_dict(backbone.state_dict())
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(again(images)[-1], backbone(images)[-1])


LAYERS = [*(f"conv{s}_{i}" for s, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1))]


def test_the_originals_variables_at_another_width(tmp_path: Path) -> None:
    """Written by hand in TensorFlow's layout, they come back; other widths are named."""
    backbone = VGG16FullyConvolutional(**SMALL)  # type: ignore[arg-type]
    layers = [*backbone.trunk.children(), *backbone.head.children()]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    variables = {}
    for name, layer in zip([*LAYERS, "fc6", "fc7", "fc8"], convolutions, strict=True):
        variables[f"vgg_local/{name}/weights"] = layer.weight.detach().permute(2, 3, 1, 0).numpy()
        variables[f"vgg_local/{name}/biases"] = torch.randn(len(layer.weight)).numpy()
        layer.bias = nn.Parameter(torch.from_numpy(variables[f"vgg_local/{name}/biases"]))
    np.savez(tmp_path / "vgg.npz", **variables)
    again = VGG16FullyConvolutional(str(tmp_path / "vgg.npz"), **SMALL)  # type: ignore[arg-type]
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(again(images)[-1], backbone(images)[-1])
    with pytest.raises(ConfigError, match=r"conv1_1/weights \(expected \(3, 3, 3, 8\), got"):
        VGG16FullyConvolutional(str(tmp_path / "vgg.npz"), width=8)
