"""SAM prompted with an expression: its frozen ViT-B, CLIP's text tower, its mask decoder."""

from pathlib import Path

from .system import System, write_tokenizer

_PIECES = 49408
_TEXT, _MASK = 768, 256  # channels of CLIP's text tower and of SAM's mask decoder


def _options(sam: Path, clip: Path) -> list[str]:
    return [
        f"--model.backbone.name={sam}",
        f"--model.decoder.name={sam}",
        f"--model.text_encoder.name={clip}",
        f"--data.tokenizer.name={clip}",
    ]


def small(folder: Path) -> list[str]:
    """A SAM of two layers, and a text tower of one."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, SamConfig, SamModel

    config = SamConfig(
        vision_config={
            **{"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "mlp_dim": 16},
            **{"output_channels": 16, "image_size": 64, "window_size": 3},
            **{"global_attn_indexes": [1], "num_pos_feats": 8},
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64},
        mask_decoder_config={
            **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
            "iou_head_hidden_dim": 16,
        },
    )
    SamModel(config).save_pretrained(folder / "sam")
    clip = CLIPTextConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        projection_dim=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=3,
    )
    CLIPTextModelWithProjection(clip).save_pretrained(folder / "clip")
    write_tokenizer(folder / "clip", 50)
    return [*_options(folder / "sam", folder / "clip"), "--data.image_size=64"]


def full(folder: Path) -> list[str]:
    """ViT-B of SAM, and the text tower of CLIP's ViT-L/14."""
    from transformers import CLIPTextConfig, SamConfig

    SamConfig().save_pretrained(folder / "sam")
    CLIPTextConfig(
        hidden_size=_TEXT, intermediate_size=3072, num_attention_heads=12, projection_dim=_TEXT
    ).save_pretrained(folder / "clip")
    write_tokenizer(folder / "clip", _PIECES)
    pretrained = [
        f"--model.{part}.pretrained=false" for part in ("backbone", "text_encoder", "decoder")
    ]
    return [*_options(folder / "sam", folder / "clip"), *pretrained]


SYSTEM = System(
    small,
    full,
    published={
        "SAM's image encoder": 89_670_912,
        "SAM's mask decoder": 4_058_340,
        "CLIP's text tower": 123_060_480,
        "CLIP's projection of sentences": _TEXT * _TEXT,
    },
    differences={
        "two layers for the sentence's token": _TEXT * (_TEXT + 1) + (_TEXT + 1) * _MASK,
        "a layer for the tokens of words": (_TEXT + 1) * _MASK,
        "of SAM's prompt encoder the dense prompt for no mask": _MASK,
    },
)
