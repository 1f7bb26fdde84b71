"""Batches of random images and words, and tiny transformers models in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:  # imported when used: type checks at run time start after this file is read
    from refseg.types import Batch, TextFeatures

VOCAB_SIZE = 50


@pytest.fixture
def make_batch() -> Callable[..., "Batch"]:
    """Random images, and expressions of the given lengths that look at the given images."""
    from refseg.models.contracts.samples import make_batch

    return make_batch


@pytest.fixture
def make_text() -> Callable[..., "TextFeatures"]:
    """Random text features of expressions of the given lengths."""
    from refseg.models.contracts.samples import make_text

    return make_text


@pytest.fixture(scope="session")
def transformers_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder per kind of model, each of a few thousand random weights."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    text = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 24,
    }
    picture = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}
    vision = {**picture, "intermediate_size": 16, "image_size": 32, "patch_size": 16}
    stages = {"hidden_sizes": [8, 8, 12, 16], "depths": [1, 1, 1, 1]}
    configs = {
        "bert": transformers.BertConfig(**text),
        "roberta": transformers.RobertaConfig(**text),
        "clip_text": transformers.CLIPTextConfig(**text, eos_token_id=2),
        "clip": transformers.CLIPConfig(
            text_config={**text, "eos_token_id": 49, "projection_dim": 12},
            vision_config=vision,
            projection_dim=12,
        ),
        "siglip": transformers.SiglipConfig(
            text_config={**text, "projection_size": 12}, vision_config=vision
        ),
        "siglip2": transformers.Siglip2Config(text_config=text, vision_config=vision),
        "metaclip_2": transformers.MetaClip2Config(
            text_config={**text, "eos_token_id": 49}, vision_config=vision, projection_dim=12
        ),
        "clipseg": transformers.CLIPSegConfig(
            text_config={**text, "eos_token_id": 49},
            vision_config=vision,
            projection_dim=12,
            extract_layers=[0, 1],
        ),
        "owlv2": transformers.Owlv2Config(
            text_config=text, vision_config=vision, projection_dim=12
        ),
        "t5": transformers.T5Config(
            vocab_size=VOCAB_SIZE, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
        ),
        "swin": transformers.SwinConfig(
            embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], image_size=32, window_size=4
        ),
        "sam": transformers.SamConfig(
            vision_config={
                **{**picture, "num_hidden_layers": 4, "initializer_range": 0.02},
                **{"output_channels": 16, "image_size": 64, "patch_size": 8, "window_size": 3},
                **{"global_attn_indexes": [1, 3], "mlp_dim": 16, "num_pos_feats": 8},
            },
            prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8},
            mask_decoder_config={
                **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
                "iou_head_hidden_dim": 16,
            },
        ),
        "sam2": transformers.Sam2Config(
            vision_config={
                "backbone_config": {
                    **{"model_type": "sam2_hiera_det_model", "hidden_size": 8},
                    **{"image_size": [64, 64], "blocks_per_stage": [1, 1, 2, 1]},
                    **{"embed_dim_per_stage": [8, 12, 16, 20], "global_attention_blocks": [3]},
                    **{"num_attention_heads_per_stage": [1, 1, 2, 2]},
                    **{"window_size_per_stage": [4, 2, 4, 2], "mlp_ratio": 1.0},
                },
                **{"backbone_channel_list": [20, 16, 12, 8], "fpn_hidden_size": 16},
                "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            },
            prompt_encoder_config={"hidden_size": 16, "image_size": 64},
            mask_decoder_config={
                **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
                "iou_head_hidden_dim": 16,
            },
        ),
        "swinv2": transformers.Swinv2Config(
            embed_dim=8, depths=[1, 1, 2, 1], num_heads=[1, 1, 2, 2], image_size=64, window_size=4
        ),
        "dinov2": transformers.Dinov2Config(
            **{**picture, "num_hidden_layers": 4}, image_size=28, patch_size=14
        ),
        "dinov2_with_registers": transformers.Dinov2WithRegistersConfig(
            **picture, image_size=32, patch_size=16, num_register_tokens=4
        ),
        "dinov3_vit": transformers.DINOv3ViTConfig(
            **picture, intermediate_size=16, image_size=32, num_register_tokens=4
        ),
        "convnext": transformers.ConvNextConfig(**stages),
        "convnextv2": transformers.ConvNextV2Config(**stages),
        "dinov3_convnext": transformers.DINOv3ConvNextConfig(**stages),
        "resnet": transformers.ResNetConfig(**stages, embedding_size=8, layer_type="basic"),
    }
    folder = tmp_path_factory.mktemp("transformers")
    for name, config in configs.items():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder / name)
    return folder
