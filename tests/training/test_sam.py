"""SAM prompted with expressions, from features on disk to a mask without SAM's files."""

import shutil
from pathlib import Path

import pytest
import torch

import refseg
from refseg.__main__ import main
from refseg.models.backbones import SamBackbone

from ..conftest import TINY_DATA

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a SAM of a few thousand random weights."""
    folder = tmp_path_factory.mktemp("sam") / "weights"
    torch.manual_seed(0)
    config = transformers.SamConfig(
        vision_config={
            **{"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "mlp_dim": 16},
            **{"output_channels": 16, "image_size": 48, "patch_size": 8, "window_size": 3},
            **{"global_attn_indexes": [1], "num_pos_feats": 8, "initializer_range": 0.02},
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 48, "patch_size": 8},
        mask_decoder_config={
            **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
            "iou_head_hidden_dim": 16,
        },
    )
    transformers.SamModel(config).save_pretrained(folder)
    return folder


def options(sam: Path, *more: str) -> list[str]:
    return [
        *("--config", "rmi.yaml", *TINY_DATA, "--data.augmentation=null"),
        *("--model.backbone=SamBackbone", f"--model.backbone.name={sam}"),
        *("--model.text_encoder.embedding_dim=8", "--model.text_encoder.hidden_dim=8"),
        *("--model.decoder=SamDecoder", f"--model.decoder.name={sam}"),
        *("--trainer.callbacks=null", *more),
    ]


@pytest.mark.slow
def test_features_training_and_a_mask_without_the_folder(
    sam: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(sam, folder)
    given = options(folder, "--model.fusion=NoFusion")
    features = tmp_path / "features"
    assert main(["data", "features", *given, "--output", str(features)]) == 0

    def refuse(*_: object) -> None:
        raise AssertionError("the frozen network was used, though its features are kept")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(SamBackbone, "stem", refuse)
        assert main(["fit", *given, f"--data.features={features}", "--output", str(run)]) == 0
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    going_on = ["fit", *given, f"--ckpt_path={checkpoint}", "--trainer.max_epochs=2"]
    assert main([*going_on, "--output", str(tmp_path / "on")]) == 0
    shutil.rmtree(folder)
    assert refseg.load(checkpoint).segment(photo, "the red circle").mask.dtype == bool
    assert main(["test", "--ckpt_path", checkpoint]) == 0


def test_dense_prompt_from_a_fusion_word_by_word(sam: Path, photo: Path, tmp_path: Path) -> None:
    """The fused map prompts, and each word shows what it is worth; without SAM's files, too."""
    folder, run = tmp_path / "weights", tmp_path / "run"
    shutil.copytree(sam, folder)
    dense = ("--model.backbone.for_dense_prompt=true", "--model.decoder.dense=true")
    assert main(["fit", *options(folder, *dense), "--output", str(run)]) == 0
    shutil.rmtree(folder)
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert len(refseg.load(checkpoint).read(photo, "the red circle").words) == 3
    assert main(["test", "--ckpt_path", checkpoint]) == 0
