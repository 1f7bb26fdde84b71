"""Networks computed stage by stage against the library's own forward pass."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.backbones import TransformersBackbone

transformers = pytest.importorskip("transformers")
HIERARCHICAL = ("swin", "swinv2", "convnext", "convnextv2", "dinov3_convnext")
IS_OLD = transformers.__version__.startswith("5.0.")
DINOV3 = pytest.param(
    "dinov3_vit",
    marks=pytest.mark.skipif(IS_OLD, reason="release 5.0 cannot make it without memory"),
)
TOWERS = {
    "clip": "CLIPVisionModel",
    "metaclip_2": "MetaClip2VisionModel",
    "siglip": "SiglipVisionModel",
}


def scrambled(backbone: TransformersBackbone) -> TransformersBackbone:
    """With weights that make a difference: fresh ones are nearly 0, and the norms' exactly 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in backbone.trunk.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return backbone.eval()


def images(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("size", [(64, 96), (61, 83)])
@pytest.mark.parametrize("name", [*HIERARCHICAL, "dinov2", "dinov2_with_registers", DINOV3])
def test_stages_end_where_the_library_does(
    name: str, size: tuple[int, int], transformers_models: Path
) -> None:
    backbone = scrambled(TransformersBackbone(str(transformers_models / name), every_stage=True))
    assert len(backbone.stages) > 1
    pixels = backbone.normalization(images(*size))
    if not name.startswith("swin"):  # these pad for themselves
        whole = backbone.whole
        pixels = functional.pad(pixels, (0, -size[1] % whole, 0, -size[0] % whole))
    expected = backbone.trunk(pixels).feature_maps
    for ours, theirs in zip(backbone(images(*size)), expected, strict=True):
        h, w = ours.shape[-2:]
        assert_close(ours, theirs[..., :h, :w], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (61, 83)])
@pytest.mark.parametrize("name", TOWERS)
def test_maps_of_a_tower_are_its_hidden_states(
    name: str, size: tuple[int, int], transformers_models: Path
) -> None:
    """In the size that its positions are for, and interpolated in another one."""
    folder = str(transformers_models / name)
    backbone = scrambled(TransformersBackbone(folder, every_stage=True))
    tower = getattr(transformers, TOWERS[name]).from_pretrained(folder).eval()
    tower.load_state_dict(backbone.trunk.state_dict())
    height, width = size
    pixels = functional.pad(
        backbone.normalization(images(*size)), (0, -width % 16, 0, -height % 16)
    )
    found = tower(pixels, output_hidden_states=True, interpolate_pos_encoding=True)
    beside = 0 if name == "siglip" else 1
    expected = [found.hidden_states[1], found.last_hidden_state]
    for ours, theirs in zip(backbone(images(*size)), expected, strict=True):
        assert_close(ours.flatten(2).transpose(1, 2), theirs[:, beside:], rtol=1e-5, atol=1e-5)


def test_maps_of_siglip2_are_its_hidden_states(transformers_models: Path) -> None:
    """With patches as the library's own processor cuts them."""
    from transformers.models.siglip2.image_processing_siglip2 import convert_image_to_patches

    folder = str(transformers_models / "siglip2")
    backbone = scrambled(TransformersBackbone(folder, every_stage=True))
    tower = transformers.Siglip2VisionModel.from_pretrained(folder).eval()
    tower.load_state_dict(backbone.trunk.state_dict())
    pixels = functional.pad(backbone.normalization(images(61, 83)), (0, 13, 0, 3))
    cut = [_cut(convert_image_to_patches, image) for image in pixels]
    shapes, mask = torch.tensor([[4, 6]] * 2), torch.ones(2, 24, dtype=torch.long)
    found = tower(torch.stack(cut), mask, shapes, output_hidden_states=True)
    expected = [found.hidden_states[1], found.last_hidden_state]
    for ours, theirs in zip(backbone(images(61, 83)), expected, strict=True):
        assert_close(ours.flatten(2).transpose(1, 2), theirs, rtol=1e-5, atol=1e-5)


def _cut(convert: Callable[..., Tensor], image: Tensor) -> Tensor:
    """Patches of 16 pixels; release 5.0 of the library takes channels last, and NumPy's arrays."""
    try:
        return convert(image, 16)
    except RuntimeError:
        return torch.as_tensor(convert(image.movedim(0, -1).numpy(), 16))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("dinov2", "encoder.layer.1"),
        ("dinov2_with_registers", "encoder.layer.0"),
        pytest.param(
            *("dinov3_vit", "model.layer.0"),
            marks=pytest.mark.skipif(IS_OLD, reason="release 5.0 cannot make it without memory"),
        ),
    ],
)
def test_what_is_said_to_the_cells_goes_on_as_if_a_layer_had_said_it(
    name: str, layer: str, transformers_models: Path
) -> None:
    """Class and register tokens travel along unchanged; the truth is a hook in the library."""
    number = int(layer[-1]) + 1
    last = 4 if name == "dinov2" else 2
    backbone = scrambled(
        TransformersBackbone(
            str(transformers_models / name), every_stage=True, layers=[number, last]
        )
    )
    beside = 1 if name == "dinov2" else 5
    first, second = backbone.stages
    state = first(backbone.stem(images(64, 32)))
    cells = backbone.cells(state)
    assert cells.shape[-2:] == (-(-64 // backbone.stride), -(-32 // backbone.stride))
    state = second(backbone.with_cells(state, cells.flip(1) - 1))
    ours = backbone.neck((cells, backbone.cells(state)), (64, 32))[-1]

    def speak(_: object, __: object, tokens: Tensor) -> Tensor:
        changed = tokens[:, beside:].flip(2) - 1
        return torch.cat([tokens[:, :beside], changed], 1)

    backbone.trunk.get_submodule(layer).register_forward_hook(speak)
    pixels = backbone._pad(backbone.normalization(images(64, 32)))
    theirs = backbone.trunk(pixels).feature_maps[-1]
    h, w = ours.shape[-2:]
    assert_close(ours, theirs[..., :h, :w], rtol=1e-5, atol=1e-5)


def test_keys_are_those_of_the_pretrained_model(transformers_models: Path) -> None:
    for name, kind in {"dinov2": "Dinov2Backbone", **TOWERS}.items():
        folder = str(transformers_models / name)
        backbone = TransformersBackbone(folder, every_stage=True)
        theirs = getattr(transformers, kind).from_pretrained(folder).state_dict()
        assert backbone.trunk.state_dict().keys() == theirs.keys()
        for key, tensor in backbone.trunk.state_dict().items():
            assert tensor.equal(theirs[key])


def test_layers_are_chosen(transformers_models: Path) -> None:
    """The first of four alone is what the walk over all of them passes first."""
    folder = str(transformers_models / "dinov2")
    every = scrambled(TransformersBackbone(folder, every_stage=True))
    assert every.levels == (1, 2, 3, 4)
    first = scrambled(TransformersBackbone(folder, layers=[1]))
    pair = scrambled(TransformersBackbone(folder, layers=[3, 1], every_stage=True))
    maps = every(images(28, 42))
    assert_close(first(images(28, 42)), maps[:1])
    assert_close(pair(images(28, 42)), (maps[0], maps[2]))
    assert not torch.allclose(maps[0], maps[1], atol=0.1)


@pytest.mark.skipif(IS_OLD, reason="release 5.0 cannot make it without memory")
def test_positions_of_dinov3_stand_still_while_training(transformers_models: Path) -> None:
    """The library moves them at random, in each stage otherwise."""
    backbone = TransformersBackbone(
        str(transformers_models / "dinov3_vit"), frozen=False, every_stage=True
    ).train()
    assert backbone.trunk.training
    assert_close(backbone(images(64, 32)), backbone(images(64, 32)))


def test_features_of_a_walk_are_not_taken_for_those_of_the_whole(transformers_models: Path) -> None:
    """A walk keeps maps that are not normalised yet."""
    folder = str(transformers_models / "swin")
    apart = TransformersBackbone(folder, every_stage=True)
    merged = TransformersBackbone(folder, stride=4, pyramid_dim=8)
    assert apart.trunk_settings() != merged.trunk_settings()
    assert not torch.allclose(apart.maps(images(64, 32))[0], merged.maps(images(64, 32))[0])


def test_the_text_tower_that_is_not_needed_is_no_news(
    transformers_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    TransformersBackbone(str(transformers_models / "clip"))
    assert "LOAD REPORT" not in caplog.text


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (transformers.Dinov2Config(image_size=518), 86_580_480),
        (transformers.CLIPVisionConfig(patch_size=16), 86_192_640 - 768 * 512),  # the projection
    ],
)
def test_full_size_is_made_without_memory(config: object, parameters: int, tmp_path: Path) -> None:
    """DINOv2-B as its authors count it (86.6 M), and the image side of CLIP's ViT-B/16 (86.2 M)."""
    config.save_pretrained(tmp_path)
    with torch.device("meta"):
        backbone = TransformersBackbone(str(tmp_path), every_stage=True, pretrained=False)
    assert backbone.levels == (3, 6, 9, 12)
    assert backbone.dims == (768,) * 4
    assert sum(parameter.numel() for parameter in backbone.parameters()) == parameters
