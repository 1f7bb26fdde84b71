"""Backbones of timm against torchvision's networks of the same weights, and on a photograph."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from torchvision import models

from refseg.errors import ConfigError
from refseg.models.backbones import TimmBackbone

timm = pytest.importorskip("timm")
IMAGES = torch.randint(
    0, 256, (2, 3, 61, 83), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)
ZEBRA = 340  # of ImageNet's classes


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[models.ResNet, Path]:
    """Torchvision's ResNet-18 with random weights and statistics, and the file of its weights."""
    torch.manual_seed(0)
    network = models.resnet18(num_classes=7).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    path = tmp_path_factory.mktemp("resnet") / "resnet18.safetensors"
    save_file(network.state_dict(), path)
    return network, path


def test_maps_are_those_of_torchvision(resnet: tuple[models.ResNet, Path]) -> None:
    """The same network in another library, whose weights have the same names."""
    network, path = resnet
    backbone = TimmBackbone("resnet18", weights=str(path), every_stage=True).eval()
    assert (backbone.strides, backbone.dims) == ((4, 8, 16, 32), (64, 128, 256, 512))
    pixels = functional.pad(backbone.normalization(IMAGES), (0, 13, 0, 3))
    current = network.maxpool(network.relu(network.bn1(network.conv1(pixels))))
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    for ours, stage in zip(backbone(IMAGES), stages, strict=True):
        current = stage(current)
        h, w = ours.shape[-2:]
        assert_close(ours, current[..., :h, :w], rtol=1e-4, atol=1e-4)


def test_a_file_is_told_and_needs_no_copy(resnet: tuple[models.ResNet, Path]) -> None:
    _, path = resnet
    backbone = TimmBackbone("resnet18", weights=str(path), frozen=True)
    assert {k: backbone.origin[k] for k in ("origin", "name")} == {
        "origin": "file",
        "name": "resnet18.safetensors",
    }
    assert "state_dict" not in backbone.trunk.pretrained_cfg
    arguments = {"name": "resnet18", "weights": str(path), "frozen": True}
    assert not TimmBackbone.is_portable(arguments)
    portable = arguments | backbone.portable_arguments()
    assert TimmBackbone.is_portable(portable)
    again = TimmBackbone(**portable)
    again.load_state_dict(backbone.state_dict())
    assert_close(again.eval()(IMAGES), backbone.eval()(IMAGES), rtol=0, atol=0)
    assert again.trunk_identity() == backbone.trunk_identity()


def test_published_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    make = timm.create_model
    asked: list[Any] = []

    def create_model(name: str, pretrained: bool, **options: Any) -> Any:  # noqa: ANN401 - timm's
        asked.append(pretrained)
        return make(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    backbone = TimmBackbone("test_resnet", weights="hub")
    assert asked.count(True) == 1
    assert backbone.origin == {"origin": "timm", "weights": "test_resnet.r160_in1k"}

    def offline(name: str, pretrained: bool, **options: Any) -> Any:  # noqa: ANN401 - timm's
        if pretrained:
            raise OSError("no network\nand more")
        return make(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConfigError, match=r"\(no network\).*hf download timm/test_resnet\.r160"):
        TimmBackbone("test_resnet", weights="hub")


def test_a_swin_that_counts_channels_last() -> None:
    backbone = TimmBackbone("swin_tiny_patch4_window7_224", stride=8).eval()
    (seen,) = backbone(IMAGES)
    assert seen.shape == (2, 192, 8, 11)
    pixels = functional.pad(backbone.normalization(IMAGES), (0, -83 % 8, 0, -61 % 8))
    assert_close(seen, backbone.trunk(pixels)[-1].movedim(3, 1)[..., :8, :11])


@pytest.mark.parametrize("name", ["resnet18", "test_efficientnet", "test_convnext"])
def test_stages_are_the_networks_own_way(name: str) -> None:
    """Stem and stages one by one give what timm's own forward pass gives."""
    torch.manual_seed(0)
    backbone = TimmBackbone(name, stride=8, every_stage=True).eval()
    whole = backbone.trunk(functional.pad(backbone.normalization(IMAGES), (0, 13, 0, 3)))
    assert len(backbone.stages) == len(whole) == 4
    current = backbone.stem(IMAGES)
    for stage, expected in zip(backbone.stages, whole, strict=True):
        current = stage(current)
        assert_close(current, expected, rtol=0, atol=0)
    assert backbone.stage_dims()[1:] == backbone.dims
    kept = backbone.maps(IMAGES, until=2)
    assert len(kept) == 2
    assert kept[1].equal(whole[2])
    for ours, expected in zip(backbone(IMAGES), whole[1:], strict=True):
        assert ours.equal(expected[..., : ours.shape[2], : ours.shape[3]])


def test_a_network_that_is_no_chain_has_no_stages() -> None:
    backbone = TimmBackbone("test_vit")
    assert not backbone.stages
    assert not backbone.taps


def test_what_is_not_needed_is_not_trained() -> None:
    """Distributed training waits for the gradient of everything that is trained."""
    backbone = TimmBackbone("test_efficientnet", stride=8).train()
    backbone(IMAGES)[-1].square().sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "test_resnett"}, r"no network 'test_resnett'; did you mean test_resnet"),
        ({"name": "hf-hub:timm/resnet18"}, r"no network 'hf-hub:timm/resnet18'"),
        ({"name": "local-dir:/tmp"}, r"no network 'local-dir:/tmp'"),
        ({"name": "resnet18.mine"}, r"no weights 'mine' of resnet18; there are: .*a1_in1k"),
        ({"name": "test_resnet", "stride": 5}, r"no stride 5; choose one of 2, 4, 8, 16, 32\."),
        ({"name": "maxvit_tiny_tf_224"}, r"images of one size only .*must be divisible"),
        ({"name": "test_resnet", "weights": "./absent.pth"}, r"none at absent\.pth"),
        ({"name": "test_resnet", "every_stage": True, "pyramid_dim": 8}, r"either every_stage or"),
    ],
)
def test_bad_options_name_the_remedy(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TimmBackbone(**arguments)


def test_weights_of_something_else_are_refused(
    resnet: tuple[models.ResNet, Path], tmp_path: Path
) -> None:
    _, path = resnet
    with pytest.raises(ConfigError, match=r"missing: .*unexpected: .*Choose the network"):
        TimmBackbone("test_efficientnet", weights=str(path))
    weights = load_file(path)
    del weights["layer1.0.bn1.weight"]
    torch.save(weights, tmp_path / "less.pth")
    with pytest.raises(ConfigError, match=r"1 missing: layer1\.0\.bn1\.weight\. Choose"):
        TimmBackbone("resnet18", weights=str(tmp_path / "less.pth"))


def test_without_timm_the_message_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"pip install 'refseg\[timm\]'"):
        TimmBackbone("resnet18")


def test_a_zebra_is_seen_where_it_is(shared: Path) -> None:
    """What ImageNet's weights call the cells of a photograph, by the head of the same file."""
    path = shared / "weights" / "efficientnet_lite2_imagenet.safetensors"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    weights, pool = load_file(path), shared / "data" / "pool"
    backbone = TimmBackbone("tf_efficientnet_lite2", weights=str(path), frozen=True).eval()
    name = "COCO_train2014_000000000034.jpg"
    with Image.open(pool / "images" / "train2014" / name) as image:
        width, height = image.size
        pixels = torch.from_numpy(np.array(image.convert("RGB").resize((352, 256))))
    seen = backbone(pixels.permute(2, 0, 1)[None])[-1]
    logits = _classified(seen, weights)
    assert logits.mean((2, 3)).argmax() == ZEBRA
    logit = functional.interpolate(logits[:, [ZEBRA]], (height, width), mode="bilinear")[0, 0]
    instances = json.loads((pool / "pool" / "instances.json").read_text())
    (zebra,) = [a["bbox"] for a in instances["annotations"] if a["image_id"] == 34]
    left, top, right, bottom = zebra[0], zebra[1], zebra[0] + zebra[2], zebra[1] + zebra[3]
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[int(top) : int(bottom), int(left) : int(right)] = True
    assert logit[inside].mean() > logit[~inside].mean() + 1
    row, column = divmod(int(logit.argmax()), width)
    assert inside[row, column]


def _classified(seen: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """EfficientNet's head in each cell, in so many words."""
    head = functional.conv2d(seen, weights["conv_head.weight"])
    normalized = functional.batch_norm(
        head,
        weights["bn2.running_mean"],
        weights["bn2.running_var"],
        weights["bn2.weight"],
        weights["bn2.bias"],
        eps=1e-3,
    )
    classifier = weights["classifier.weight"][:, :, None, None]
    return functional.conv2d(normalized.clamp(0, 6), classifier, weights["classifier.bias"])
