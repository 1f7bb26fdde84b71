"""Tiny text-to-mask models of random weights, each in a folder as `save_pretrained` writes it."""

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

    Saved = tuple[PreTrainedModel, ProcessorMixin]

WORDS = ["the", "large", "small", "red", "blue", "green", "circle", "star", "on", "left", "of", "."]


def write_models(folder: Path) -> None:
    """Write the folders `clipseg`, `grounding-dino`, `sam` and `sam3`."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    makers = {"clipseg": clipseg, "grounding-dino": grounding_dino, "sam": sam, "sam3": sam3}
    for name, make in makers.items():
        torch.manual_seed(1)
        network, processor = make(transformers, folder)
        for weight in network.parameters():  # of which the tiny ones would hardly depend on inputs
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.3)
        network.save_pretrained(folder / name)
        processor.save_pretrained(folder / name)


def clip_tokenizer(transformers: ModuleType, folder: Path) -> "PreTrainedTokenizerBase":
    letters = sorted(set("".join(WORDS)))
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    path = folder / "vocab.json"
    path.write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        str(path), str(folder / "merges.txt"), pad_token="<|endoftext|>", model_max_length=32
    )


def clip_text(tokenizer: "PreTrainedTokenizerBase") -> dict[str, object]:
    return {
        **{"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16},
        **{"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32},
        **{"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id},
        "pad_token_id": tokenizer.pad_token_id,
    }


def clipseg(transformers: ModuleType, folder: Path) -> "Saved":
    tokenizer = clip_tokenizer(transformers, folder)
    config = transformers.CLIPSegConfig(
        text_config=clip_text(tokenizer),
        vision_config={
            **{"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 16},
            **{"intermediate_size": 16, "image_size": 64, "patch_size": 16},
        },
        projection_dim=12,
        extract_layers=[0, 1, 2],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    images = transformers.ViTImageProcessor(size={"height": 64, "width": 64})
    processor = transformers.CLIPSegProcessor(images, tokenizer)
    return transformers.CLIPSegForImageSegmentation(config), processor


def grounding_dino(transformers: ModuleType, folder: Path) -> "Saved":
    path = folder / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = transformers.BertTokenizer(str(path))
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            **{"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
            **{"image_size": 64, "window_size": 4, "out_indices": [2, 3, 4]},
        ),
        text_config={
            **{"model_type": "bert", "vocab_size": len(tokenizer), "hidden_size": 16},
            **{"intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
        },
        **{"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 8},
        **{"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_text_len": 32},
        **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "query_dim": 4},
    )
    images = transformers.GroundingDinoImageProcessor(
        size={"shortest_edge": 64, "longest_edge": 96}
    )
    processor = transformers.GroundingDinoProcessor(images, tokenizer)
    return transformers.GroundingDinoForObjectDetection(config), processor


def sam(transformers: ModuleType, folder: Path) -> "Saved":
    config = transformers.SamConfig(
        vision_config={
            **{"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16},
            **{"initializer_range": 0.02, "global_attn_indexes": [1], "mlp_dim": 16},
            **{"output_channels": 16, "image_size": 64, "patch_size": 8, "window_size": 3},
            "num_pos_feats": 8,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8},
        mask_decoder_config={
            **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
            "iou_head_hidden_dim": 16,
        },
    )
    images = transformers.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}
    )
    return transformers.SamModel(config), transformers.SamProcessor(images)


def sam3(transformers: ModuleType, folder: Path) -> "Saved":
    tokenizer = clip_tokenizer(transformers, folder)
    part = {"hidden_size": 16, "num_attention_heads": 2}
    layers = {**part, "num_layers": 1, "intermediate_size": 16}
    config = transformers.Sam3Config(
        vision_config={
            "backbone_config": {
                **{"model_type": "sam3_vit_model", "hidden_size": 16, "intermediate_size": 16},
                **{"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56},
                **{"patch_size": 14, "window_size": 2, "global_attn_indexes": [1]},
                "pretrain_image_size": 56,
            },
            **{"fpn_hidden_size": 16, "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]},
        },
        text_config={
            **{"model_type": "clip_text_model", "projection_dim": 12},
            **clip_text(tokenizer),
        },
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 6},
        mask_decoder_config=part,
    )
    images = transformers.Sam3ImageProcessor(size={"height": 56, "width": 56})
    return transformers.Sam3Model(config), transformers.Sam3Processor(images, tokenizer)
