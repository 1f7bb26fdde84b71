"""The image side of SAM 2 against the library's own model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import Sam2Backbone
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
    """A SAM 2 whose positions are not the zeros that they start as."""
    model = transformers.Sam2Model.from_pretrained(transformers_models / "sam2")
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "pos_embed" in name or "no_memory" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "sam2")
    return tmp_path / "sam2"


def test_maps_are_those_of_the_model(folder: Path) -> None:
    model = transformers.Sam2Model.from_pretrained(folder).eval()
    seen = images(64, 64)
    expected = model.get_image_embeddings(normalized(seen))
    backbone = Sam2Backbone(str(folder)).eval()
    assert_close([*backbone(seen)], [*expected], rtol=1e-4, atol=1e-5)
    assert (backbone.dims, backbone.strides) == ((2, 4, 16), (4, 8, 16))
    *finer, coarse, again = Sam2Backbone(str(folder), for_dense_prompt=True).eval()(seen)
    assert_close([*finer, coarse], [*expected], rtol=1e-4, atol=1e-5)
    assert torch.equal(coarse, again)


def test_it_is_published_as_a_model_of_videos(folder: Path, tmp_path: Path) -> None:
    """Which has the same image side, beside a memory that nobody needs here."""
    model = transformers.Sam2Model.from_pretrained(folder)
    config = transformers.Sam2VideoConfig(
        vision_config=model.config.vision_config.to_dict(),
        prompt_encoder_config={"hidden_size": 16, "image_size": 64},
        mask_decoder_config={
            **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
            "iou_head_hidden_dim": 16,
        },
        image_size=64,
        memory_attention_hidden_size=16,
        memory_attention_feed_forward_hidden_size=16,
        memory_attention_num_layers=1,
        memory_attention_num_attention_heads=1,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=16,
        memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=16,
        memory_fuser_embed_dim=16,
        memory_fuser_intermediate_dim=16,
    )
    video = transformers.Sam2VideoModel(config)
    video.load_state_dict(model.state_dict(), strict=False)
    video.save_pretrained(tmp_path / "video")
    seen = images(64, 64)
    found = Sam2Backbone(str(tmp_path / "video")).eval()(seen)
    assert_close(found, Sam2Backbone(str(folder)).eval()(seen))


@pytest.mark.parametrize("size", [(64, 51), (40, 36)])
def test_images_are_padded_to_whole_windows_and_cut(folder: Path, size: tuple[int, int]) -> None:
    height, width = size
    maps = Sam2Backbone(str(folder)).eval()(images(height, width))
    expected = [[-(-height // stride), -(-width // stride)] for stride in (4, 8, 16)]
    assert [list(each.shape[-2:]) for each in maps] == expected


def test_checkpoint_needs_no_folder(folder: Path, tmp_path: Path) -> None:
    backbone = Sam2Backbone(str(folder)).eval()
    torch.save(backbone.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    again = Sam2Backbone("./gone", architecture=Architecture(portable["architecture"])).eval()
    again.load_state_dict(backbone.state_dict())
    for one, other in zip(again(images(64, 64)), backbone(images(64, 64)), strict=True):
        assert torch.equal(one, other)
    assert again.trunk_identity() == backbone.trunk_identity()


def test_other_models_are_refused(transformers_models: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"such as facebook/sam2\.1-hiera-base-plus, got .* sam\."
    ):
        Sam2Backbone(str(transformers_models / "sam"))
