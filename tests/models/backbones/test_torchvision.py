"""Networks of torchvision: their weights, strides and errors."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torch.testing import assert_close
from torchvision import models

from refseg.errors import ConfigError
from refseg.models.backbones import TorchvisionBackbone


def _images(height: int = 64, width: int = 96) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8)


def _squeezenet_weights(shared: Path) -> Path:
    path = shared / "weights" / "squeezenet11_imagenet_features.pt"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


def _caffe(images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    return images[:, [2, 1, 0]].float() - mean


def test_pretrained_squeezenet_equals_torchvisions(shared: Path) -> None:
    path = _squeezenet_weights(shared)
    backbone = TorchvisionBackbone(
        "squeezenet1_1", stride=16, weights=str(path), normalization="caffe_bgr"
    ).eval()
    theirs = models.squeezenet1_1().eval()
    theirs.load_state_dict(torch.load(path, weights_only=True), strict=False)
    # 15 pixels more than 16 a cell are seen by its convolutions without padding.
    padded = functional.pad(_caffe(_images()), (7, 8, 7, 8))
    expected = theirs.features(padded)
    assert expected.std() > 0.1
    assert_close(backbone(_images())[-1], expected)
    assert expected.shape == (2, 512, 4, 6)


def test_pyramid_reads_the_levels_of_the_untouched_network(shared: Path) -> None:
    path = _squeezenet_weights(shared)
    backbone = TorchvisionBackbone(
        "squeezenet1_1", 8, str(path), True, "caffe_bgr", pyramid_dim=16
    ).eval()
    theirs = models.squeezenet1_1().eval().features
    given = torch.load(path, weights_only=True)
    theirs.load_state_dict({name.removeprefix("features."): w for name, w in given.items()})
    seen: list[list[torch.Tensor]] = []
    assert backbone.pyramid is not None
    backbone.pyramid.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    backbone(_images())
    fine = theirs[:8](functional.pad(_caffe(_images()), (3, 4, 3, 4)))
    assert_close(seen[0][0], fine)
    assert_close(seen[0][1], theirs[8:](fine))


def test_frozen_trunk_stays_as_it_is() -> None:
    backbone = TorchvisionBackbone("resnet18", stride=16, frozen=True, pyramid_dim=8)
    before = {name: tensor.clone() for name, tensor in backbone.trunk.state_dict().items()}
    backbone.train()
    assert backbone.training
    assert not any(module.training for module in backbone.trunk.modules())
    (features,) = backbone(_images())
    features.square().sum().backward()
    assert all(torch.equal(before[k], v) for k, v in backbone.trunk.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in backbone.trunk.parameters())
    assert backbone.pyramid is not None
    assert all(p.grad is not None and p.grad.any() for p in backbone.pyramid.parameters())
    assert all(module.training for module in backbone.pyramid.modules())
    assert not TorchvisionBackbone("resnet18", frozen=True)(_images())[-1].requires_grad


def test_trained_trunk_follows_the_mode() -> None:
    backbone = TorchvisionBackbone("resnet18", stride=32)
    assert all(module.training for module in backbone.trunk.modules())
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    backbone.eval()
    assert not any(module.training for module in backbone.trunk.modules())


@pytest.mark.parametrize("kind", ["full", "features", "stripped", "safetensors"])
def test_weights_from_a_path(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    model = models.squeezenet1_1()
    weights = (
        model.state_dict() if kind == "full" else model.features.state_dict(prefix="features.")
    )
    if kind == "stripped":
        weights = model.features.state_dict()
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    save_file(weights, path) if kind == "safetensors" else torch.save(weights, path)
    backbone = TorchvisionBackbone("squeezenet1_1", stride=16, weights=str(path))
    for ours, theirs in zip(backbone.trunk.parameters(), model.features.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_of_a_resnet_come_with_the_classifier(tmp_path: Path) -> None:
    model = models.resnet18()
    torch.nn.init.uniform_(model.bn1.running_mean)
    torch.save(model.state_dict(), tmp_path / "resnet.pth")
    backbone = TorchvisionBackbone("resnet18", 32, str(tmp_path / "resnet.pth")).eval()
    model.avgpool = model.fc = torch.nn.Identity()
    expected = model.eval()(backbone.normalization(_images(64, 64))).view(2, 512, 2, 2)
    assert_close(backbone(_images(64, 64))[-1], expected)


def test_checkpoint_needs_no_file_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(models.squeezenet1_1().state_dict(), path)
    arguments = {"name": "squeezenet1_1", "weights": str(path)}
    backbone = TorchvisionBackbone(**arguments).eval()
    path.unlink()
    again = TorchvisionBackbone(**arguments | backbone.portable_arguments()).eval()
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(again(_images())[-1], backbone(_images())[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet19"}, r"Unknown torchvision network 'resnet19'; choose one of .*resnet18"),
        ({"name": "vit_b_16"}, "Unknown torchvision network 'vit_b_16'"),
        ({"name": "squeezenet1_1", "stride": 32}, "has no stride 32; choose one of 2, 4, 8, 16"),
        ({"name": "resnet18", "stride": 6}, "has no stride 6; choose one of 2, 4, 8, 16, 32"),
        ({"name": "resnet18", "weights": "IMAGENET"}, "Unknown weights 'IMAGENET' of resnet18"),
        ({"name": "resnet18", "weights": "./absent.pth"}, r"found none at absent\.pth"),
    ],
)
def test_bad_options_name_the_remedy(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TorchvisionBackbone(**arguments)  # type: ignore[arg-type]


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    weights = models.squeezenet1_1().state_dict()
    del weights["features.0.bias"]
    weights["features.99.weight"] = torch.zeros(1)
    weights["features.3.squeeze.bias"] = torch.zeros(1)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    with pytest.raises(ConfigError) as error:
        TorchvisionBackbone("squeezenet1_1", weights=str(path))
    for part in (
        str(path),
        "1 missing: features.0.bias",
        "1 unexpected: features.99.weight",
        "features.3.squeeze.bias (expected (16,), got (1,))",
    ):
        assert part in str(error.value)


def test_without_a_network_the_message_says_where_the_file_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(ConfigError) as error:
        TorchvisionBackbone("squeezenet1_1", weights="imagenet")
    assert "no network" in str(error.value)
    assert "https://download.pytorch.org/models/squeezenet1_1" in str(error.value)
    assert str(tmp_path / "checkpoints") in str(error.value)
