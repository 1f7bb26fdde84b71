"""Where the weights of backbones came from is told by those who load them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from refseg.models.backbones import (
    AtrousResNet,
    SmallBackbone,
    TorchvisionBackbone,
    TransformersBackbone,
    VGG16FullyConvolutional,
)
from refseg.models.backbones import torchvision as torchvision_under_test
from refseg.models.backbones import vgg as vgg_under_test
from refseg.models.weights.huggingface import Architecture

from ..original.test_pretrained import make, resnet_patterns, shapes


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_random_weights() -> None:
    assert SmallBackbone().origin == {"origin": "none"}
    assert TorchvisionBackbone("resnet18").origin == {"origin": "none"}


def test_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"resnet18": models.resnet18().state_dict(), "vgg16": {}}
    for module in (torchvision_under_test, vgg_under_test):
        monkeypatch.setattr(module, "download", lambda name, _: states[name])
    for weights in ("imagenet", "IMAGENET1K_V1"):
        backbone = TorchvisionBackbone("resnet18", weights=weights)
        assert backbone.origin == {
            "origin": "torchvision",
            "network": "resnet18",
            "weights": "IMAGENET1K_V1",
        }
    assert backbone.classifier is not None
    assert torch.equal(backbone.classifier.weight, states["resnet18"]["fc.weight"])
    monkeypatch.setattr(vgg_under_test, "load_weights", lambda *_: None)
    vgg = VGG16FullyConvolutional("imagenet", image_dim=6, hidden_dim=8, width=4)
    assert vgg.origin == {"origin": "torchvision", "network": "vgg16", "weights": "IMAGENET1K_V1"}


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    torch.save(models.squeezenet1_1().features.state_dict(), path)
    backbone = TorchvisionBackbone("squeezenet1_1", weights=str(path))
    assert backbone.origin == {"origin": "file", "name": "mine.pth", "sha256": sha(path)}
    assert backbone.classifier is None


def test_variables_of_the_original(tmp_path: Path) -> None:
    blocks = (1, 1, 1, 1)
    path = tmp_path / "variables.npz"
    variables = make(shapes(resnet_patterns("ResNet", blocks)))
    classifier = {"ResNet/fc1000/DW": np.random.rand(2048, 7).astype(np.float32)}  # noqa: NPY002
    classifier["ResNet/fc1000/biases"] = np.arange(7, dtype=np.float32)
    np.savez(path, **variables)
    assert AtrousResNet(str(path), blocks=blocks).classifier is None
    np.savez(path, **variables, **classifier)
    backbone = AtrousResNet(str(path), blocks=blocks)
    assert backbone.origin == {"origin": "original", "name": path.name, "sha256": sha(path)}
    assert backbone.classifier is not None
    weight, bias = (tensor.numpy() for tensor in backbone.classifier)
    np.testing.assert_array_equal(weight.T, classifier["ResNet/fc1000/DW"])
    np.testing.assert_array_equal(bias, classifier["ResNet/fc1000/biases"])


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    from transformers import ResNetBackbone, ResNetConfig

    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic")
    ResNetBackbone(config).save_pretrained(tmp_path / "tiny")
    backbone = TransformersBackbone(str(tmp_path / "tiny"))
    assert backbone.origin == {"origin": "folder", "name": "tiny"}
    portable = backbone.portable_arguments()
    portable["architecture"] = Architecture(portable["architecture"])
    again = TransformersBackbone("gone", **portable)
    assert again.origin == {"origin": "none"}
