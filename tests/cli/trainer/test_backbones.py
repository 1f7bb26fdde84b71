"""Backbones that others trained: a run, its checkpoint without their files, and kept features."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

import refseg
from refseg.__main__ import main

from ...conftest import TINY_DATA

SENTENCE = "the large red circle"
FILM = {"class_path": "FilmFusion", "init_args": {"hidden_dim": 8, "blocks": 1}}
PICTURE = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}


def dinov2(folder: Path) -> dict[str, Any]:
    """Spoken to between its layers."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    config = Dinov2WithRegistersConfig(**PICTURE, image_size=32, num_register_tokens=4)
    Dinov2WithRegistersModel(config).save_pretrained(folder)
    return {
        "backbone": {
            "class_path": "TransformersBackbone",
            "init_args": {"name": str(folder), "every_stage": True},
        },
        "fusion": {"class_path": "LanguageAwareFusion"},
        "decoder": {"class_path": "PyramidDecoder", "init_args": {"hidden_dim": 8}},
    }


def siglip(folder: Path) -> dict[str, Any]:
    """The image tower of a model of images and texts."""
    from transformers import SiglipConfig, SiglipModel

    picture = {**PICTURE, "intermediate_size": 16, "image_size": 32, "patch_size": 16}
    text = {**PICTURE, "intermediate_size": 16, "vocab_size": 30}
    SiglipModel(SiglipConfig(text_config=text, vision_config=picture)).save_pretrained(folder)
    return {
        "backbone": {
            "class_path": "TransformersBackbone",
            "init_args": {"name": str(folder), "layers": [1, 2], "pyramid_dim": 8},
        },
        "fusion": FILM,
        "decoder": {"class_path": "BilinearDecoder"},
    }


def of_timm(folder: Path) -> dict[str, Any]:
    """A network of timm with the weights of a file."""
    import timm

    folder.mkdir()
    network = timm.create_model("test_efficientnet")
    torch.save(network.state_dict(), folder / "source")
    backbone = {"name": "test_efficientnet", "weights": str(folder / "source"), "stride": 8}
    return {
        "backbone": {
            "class_path": "TimmBackbone",
            "init_args": {**backbone, "frozen": True, "pyramid_dim": 8},
        },
        "fusion": FILM,
        "decoder": {"class_path": "BilinearDecoder"},
    }


def write(path: Path, parts: dict[str, Any]) -> list[str]:
    """The words of a run with these parts."""
    path.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 0,
                "trainer": "trainer/default.yaml",
                "data": "data/shapes.yaml",
                "model": {
                    **parts,
                    "text_encoder": {
                        "class_path": "LSTMEncoder",
                        "init_args": {"embedding_dim": 8, "hidden_dim": 8},
                    },
                },
            }
        )
    )
    return ["--config", str(path), *TINY_DATA]


@pytest.mark.slow
@pytest.mark.parametrize("make", [dinov2, siglip, of_timm])
def test_a_run_its_checkpoint_and_kept_features(
    make: Callable[[Path], dict[str, Any]], photo: Path, tmp_path: Path
) -> None:
    source, run = tmp_path / "source", tmp_path / "run"
    words = write(tmp_path / "config.yaml", make(source))
    features = ("--output", str(tmp_path / "features"))
    assert main(["data", "features", *words, *features]) == 0
    words += [f"--data.features={tmp_path / 'features'}", "--data.augmentation=null"]
    assert main(["fit", *words, "--output", str(run)]) == 0
    longer = ["--checkpoint", str(run / "checkpoints" / "last.ckpt"), "--trainer.max_epochs=2"]
    assert main(["fit", *words, *longer, "--output", str(tmp_path / "longer")]) == 0
    shutil.rmtree(source)
    checkpoint = run / "checkpoints" / "best.ckpt"
    assert refseg.load(checkpoint).segment(photo, SENTENCE).score >= 0
    opened = ["--checkpoint", str(checkpoint), "--data.features=null"]
    assert main(["validate", *opened, "--output", str(tmp_path / "again")]) == 0
    kept, computed = (
        json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "again")
    )
    assert kept["metrics"]["val"] == computed["metrics"]["val"]
    assert kept["backbone_weights"] == computed["backbone_weights"]
    assert kept["backbone_weights"]["name"] == "source"


def test_a_run_with_adapters(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, run = tmp_path / "source", tmp_path / "run"
    adapters = {"class_path": "LoRA", "init_args": {"rank": 2, "targets": ["backbone*_proj"]}}
    words = write(tmp_path / "config.yaml", {**siglip(source), "lora": adapters})
    features = ("--output", str(tmp_path / "features"))
    assert main(["data", "features", *words, *features]) == 2
    assert "has adapters (model.lora) that are trained" in capsys.readouterr().err
    assert main(["fit", *words, "--output", str(run)]) == 0
    longer = ["--checkpoint", str(run / "checkpoints" / "last.ckpt"), "--trainer.max_epochs=2"]
    assert main(["fit", *words, *longer, "--output", str(tmp_path / "longer")]) == 0
    other = ["--model.lora.rank=3", *longer, "--output", str(tmp_path / "other")]
    capsys.readouterr()
    assert main(["fit", *words, *other]) == 2
    assert "lora.rank is 2 there and 3 here" in capsys.readouterr().err
    weights = source / "model.safetensors"
    before = {name: tensor.clone() for name, tensor in load_file(weights).items()}
    shutil.rmtree(source)
    checkpoint = run / "checkpoints" / "best.ckpt"
    trunk = refseg.load(checkpoint).segmenter.backbone.trunk.state_dict()
    name = "encoder.layers.0.self_attn.k_proj"
    assert trunk[f"{name}.base_layer.weight"].equal(before[f"vision_model.{name}.weight"])
    assert trunk[f"{name}.lora_B.default.weight"].any(), "it starts at 0"
    assert main(["validate", "--checkpoint", str(checkpoint), "--output", str(tmp_path / "x")]) == 0
    trained, again = (
        json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "x")
    )
    assert trained["metrics"]["val"] == again["metrics"]["val"]
