"""Backbones of the transformers library against the library's own models."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import TransformersBackbone
from refseg.models.backbones.swin import SwinWalk
from refseg.models.weights.huggingface import Architecture

transformers = pytest.importorskip("transformers")
IMAGES = torch.randint(
    0, 256, (2, 3, 56, 84), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


def _imagenet(images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    return (images / 255 - mean) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def test_pretrained_weights_are_loaded(transformers_models: Path) -> None:
    """DINOv2's map is the model's last hidden state without its class token."""
    folder = transformers_models / "dinov2"
    backbone = TransformersBackbone(str(folder)).eval()
    model = transformers.AutoModel.from_pretrained(folder).eval()
    expected = model(pixel_values=_imagenet(IMAGES)).last_hidden_state[:, 1:]
    assert_close(backbone(IMAGES)[-1], expected.transpose(1, 2).reshape(2, 16, 4, 6))
    assert (backbone.strides, backbone.dims) == ((14,), (16,))


def test_images_are_padded_to_whole_cells_and_cut(transformers_models: Path) -> None:
    backbone = TransformersBackbone(str(transformers_models / "dinov2")).eval()
    padded = functional.pad(_imagenet(IMAGES[..., :50, :75]), (0, 9, 0, 6))
    expected = backbone.trunk(padded).feature_maps[-1]
    assert_close(backbone(IMAGES[..., :50, :75])[-1], expected)


@pytest.mark.parametrize(("stride", "width"), [(4, 8), (32, 64)])
def test_stride_chooses_the_stage(transformers_models: Path, stride: int, width: int) -> None:
    backbone = TransformersBackbone(str(transformers_models / "swin"), stride=stride).eval()
    assert backbone.dims == (width,)
    assert backbone(IMAGES)[-1].shape == (2, width, -(-56 // stride), -(-84 // stride))


def test_frozen_trunk_stays_as_it_is(transformers_models: Path) -> None:
    backbone = TransformersBackbone(str(transformers_models / "swin"), 8, pyramid_dim=8).train()
    backbone(IMAGES)[-1].square().sum().backward()
    assert not any(module.training for module in backbone.trunk.modules())
    assert all(p.grad is None and not p.requires_grad for p in backbone.trunk.parameters())
    assert backbone.pyramid is not None
    assert all(p.grad is not None and p.grad.any() for p in backbone.pyramid.parameters())
    assert len(backbone.pyramid.laterals) == 3


def test_paths_are_dropped_in_training_alone(transformers_models: Path) -> None:
    """With a probability that grows to 0.5 over the blocks; in evaluation nothing changes."""
    folder, options = str(transformers_models / "swin"), {"every_stage": True, "frozen": False}
    whole = TransformersBackbone(folder, drop_path=0.0, **options).eval()
    backbone = TransformersBackbone(folder, drop_path=0.5, **options)
    found = [
        getattr(drop, "drop_prob", 0.0)
        for name, drop in backbone.named_modules()
        if name.endswith("drop_path")
    ]
    assert max(found) == 0.5
    assert found == sorted(found)
    assert_close(backbone.eval()(IMAGES), whole(IMAGES))
    torch.manual_seed(0)
    visits = [backbone.train()(IMAGES[:1])[-1] for _ in range(8)]
    assert not all(torch.equal(visit, visits[0]) for visit in visits)
    assert torch.equal(whole.train()(IMAGES)[-1], whole(IMAGES)[-1])


def test_both_paths_of_a_block_are_dropped(transformers_models: Path) -> None:
    """Of attention and MLP: where both always are, a block leaves its map as it is."""
    folder = str(transformers_models / "swin")
    backbone = TransformersBackbone(folder, every_stage=True, frozen=False, drop_path=0.5)
    copied = deepcopy(backbone).train()
    (block,) = SwinWalk(copied.trunk).model.encoder.layers[3].blocks
    seen = torch.randn(2, 6, 64)
    assert not torch.equal(block.eval()(seen, (2, 3), always_partition=True)[0], seen)
    block.train().drop_path.drop_prob = 1 - 1e-6
    assert torch.equal(block(seen, (2, 3), always_partition=True)[0], seen)
    (other,) = SwinWalk(backbone.trunk).model.encoder.layers[3].blocks
    assert other.drop_path.drop_prob == 0.5


def test_statistics_come_from_the_image_processor(transformers_models: Path) -> None:
    folder = transformers_models / "convnext"
    try:
        transformers.ConvNextImageProcessor(
            image_mean=[0.5, 0.25, 0.125], image_std=[0.5, 0.5, 0.25]
        ).save_pretrained(folder)
        backbone = TransformersBackbone(str(folder))
        named = TransformersBackbone(str(folder), normalization="half")
    finally:
        (folder / "preprocessor_config.json").unlink()
    assert backbone.normalization.mean.flatten().tolist() == [0.5, 0.25, 0.125]
    assert backbone.normalization.std.flatten().tolist() == [0.5, 0.5, 0.25]
    assert named.normalization.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    without = TransformersBackbone(str(folder))
    assert_close(without.normalization(IMAGES), _imagenet(IMAGES))


@pytest.mark.parametrize("name", ["swin", "dinov2", "clip", "siglip", "siglip2", "metaclip_2"])
def test_checkpoint_needs_no_folder(transformers_models: Path, tmp_path: Path, name: str) -> None:
    arguments = {"name": str(transformers_models / name), "pyramid_dim": 8}
    backbone = TransformersBackbone(**arguments).eval()
    torch.save(backbone.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    portable["architecture"] = Architecture(portable["architecture"])
    again = TransformersBackbone(**arguments | {"name": "./gone"} | portable).eval()
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(again(IMAGES)[-1], backbone(IMAGES)[-1])


def test_without_pretraining_weights_are_random(transformers_models: Path) -> None:
    name = str(transformers_models / "dinov2")
    torch.manual_seed(7)
    backbone, loaded = TransformersBackbone(name, pretrained=False), TransformersBackbone(name)
    assert backbone(IMAGES)[-1].shape == loaded(IMAGES)[-1].shape
    assert not torch.allclose(backbone(IMAGES)[-1], loaded(IMAGES)[-1], atol=1e-2)


def test_bad_options_name_the_remedy(transformers_models: Path) -> None:
    with pytest.raises(ConfigError, match=r"no stride 5; choose one of 4, 8, 16, 32\."):
        TransformersBackbone(str(transformers_models / "swin"), stride=5)
    with pytest.raises(ConfigError, match=r"\(bert\) gives no feature maps; choose .*Swin"):
        TransformersBackbone(str(transformers_models / "bert"))
    with pytest.raises(ConfigError, match=r"between 1 and 4, those of .*dinov2, got \[0, 5\]"):
        TransformersBackbone(str(transformers_models / "dinov2"), layers=[0, 5])
    with pytest.raises(ConfigError, match=r"have the strides 4, 8, 16, 32; choose .* by stride"):
        TransformersBackbone(str(transformers_models / "swin"), layers=[1])
    with pytest.raises(
        ConfigError, match=r"'\./absent'; expected a folder that save_pretrained wrote"
    ):
        TransformersBackbone("./absent")
