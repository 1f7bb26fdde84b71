"""The image side of SAM against the library's own model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import SamBackbone
from refseg.models.weights.huggingface import Architecture

transformers = pytest.importorskip("transformers")


def images(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8)


def normalized(pixels: Tensor) -> Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    return (pixels / 255 - mean) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@pytest.fixture
def folder(transformers_models: Path, tmp_path: Path) -> Path:
    """A SAM whose positions are not the zeros that they start as."""
    model = transformers.SamModel.from_pretrained(transformers_models / "sam")
    torch.manual_seed(0)
    for name, parameter in model.vision_encoder.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "sam")
    return tmp_path / "sam"


def test_map_is_that_of_the_model(folder: Path) -> None:
    model = transformers.SamModel.from_pretrained(folder).eval()
    seen = images(64, 64)
    expected = model.get_image_embeddings(normalized(seen))
    (found,) = SamBackbone(str(folder)).eval()(seen)
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    twice = SamBackbone(str(folder), for_dense_prompt=True).eval()
    assert all(torch.equal(each, found) for each in twice(seen))
    assert (twice.dims, twice.strides) == ((16, 16), (8, 8))


def test_only_the_image_side_is_in_the_state(folder: Path) -> None:
    names = SamBackbone(str(folder)).state_dict()
    model = transformers.SamModel.from_pretrained(folder)
    expected = {f"trunk.vision_encoder.{name}" for name in model.vision_encoder.state_dict()}
    assert set(names) == expected


def test_positions_are_interpolated_for_another_size(folder: Path) -> None:
    """The library's model of that size, given the interpolated positions, has the same map."""
    backbone, seen = SamBackbone(str(folder)).eval(), images(40, 40)
    config = transformers.SamConfig.from_pretrained(folder)
    config.vision_config.image_size = 40
    model = transformers.SamVisionModel(config.vision_config).eval()
    weights = {k.removeprefix("trunk."): v for k, v in backbone.state_dict().items()}
    positions = weights["vision_encoder.pos_embed"].permute(0, 3, 1, 2)
    resized = functional.interpolate(positions, (5, 5), mode="bicubic")
    weights["vision_encoder.pos_embed"] = resized.permute(0, 2, 3, 1)
    for name, weight in weights.items():  # of layers with global attention: 15 distances, 9 here
        if "rel_pos" in name and len(weight) == 15:
            table = weight.T[None]
            weights[name] = functional.interpolate(table, 9, mode="linear")[0].T
    model.load_state_dict(weights)
    expected = model(normalized(seen)).last_hidden_state
    assert_close(backbone(seen)[0], expected, rtol=1e-4, atol=1e-5)


def test_images_are_padded_to_whole_cells_and_cut(folder: Path) -> None:
    backbone = SamBackbone(str(folder)).eval()
    seen = images(64, 51)
    mean = torch.tensor([123.675, 116.28, 103.53]).round().byte()[:, None, None]
    padded = torch.cat([seen, mean.expand(2, 3, 64, 5)], dim=3)
    (found,) = backbone(seen)
    assert found.shape == (2, 16, 8, 7)
    assert_close(found, backbone(padded)[0], rtol=0.02, atol=0.02)  # a byte is not quite the mean


def test_frozen_encoder_stays_as_it_is(folder: Path) -> None:
    backbone = SamBackbone(str(folder)).train()
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not any(module.training for module in backbone.trunk.modules())
    assert not backbone(images(64, 64))[0].requires_grad


def test_checkpoint_needs_no_folder(folder: Path, tmp_path: Path) -> None:
    backbone = SamBackbone(str(folder)).eval()
    torch.save(backbone.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    again = SamBackbone("./gone", architecture=Architecture(portable["architecture"])).eval()
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(again(images(64, 64))[0], backbone(images(64, 64))[0])


def test_full_size_has_the_published_number_of_weights() -> None:
    """ViT-B of SAM, on the device that has no memory."""
    with torch.device("meta"):
        config = transformers.SamVisionConfig(num_hidden_layers=12)
        backbone = SamBackbone("none", architecture=Architecture(config.to_diff_dict()))
    assert sum(weight.numel() for weight in backbone.parameters()) == 89_670_912


def test_other_models_are_refused(transformers_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"SAM's kind, facebook/sam-vit-base say, got .*\(clip\)"):
        SamBackbone(str(transformers_models / "clip"))
