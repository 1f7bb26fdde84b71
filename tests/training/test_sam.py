"""SAM prompted with expressions, from features on disk to a mask without SAM's files."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

import refseg
from refseg.__main__ import main
from refseg.geometry import Geometry
from refseg.losses import DiceLoss, WeightedLogisticLoss, WeightedSum
from refseg.models.backbones import Sam2Backbone, SamBackbone, TrunkBackbone
from refseg.models.decoders import SamDecoder
from refseg.models.fusion import CrossAttention, NoFusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch, RunLengths

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


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of SAM 2."""
    folder = tmp_path_factory.mktemp("sam2") / "weights"
    torch.manual_seed(0)
    config = transformers.Sam2Config(
        vision_config={
            "backbone_config": {
                **{"model_type": "sam2_hiera_det_model", "hidden_size": 8, "mlp_ratio": 1.0},
                **{"image_size": [64, 64], "blocks_per_stage": [1, 1, 2, 1]},
                **{"embed_dim_per_stage": [8, 12, 16, 20], "global_attention_blocks": [3]},
                **{"num_attention_heads_per_stage": [1, 1, 2, 2]},
                "window_size_per_stage": [4, 2, 4, 2],
            },
            **{"backbone_channel_list": [20, 16, 12, 8], "fpn_hidden_size": 16},
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64},
        mask_decoder_config={
            **{"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2},
            "iou_head_hidden_dim": 16,
        },
    )
    transformers.Sam2Model(config).save_pretrained(folder)
    return folder


def options(sam: Path, *more: str, backbone: str = "SamBackbone") -> list[str]:
    return [
        *("--config", "rmi.yaml", *TINY_DATA, "--data.augmentation=null"),
        *(f"--model.backbone={backbone}", f"--model.backbone.name={sam}"),
        *("--model.text_encoder.embedding_dim=8", "--model.text_encoder.hidden_dim=8"),
        *("--model.decoder=SamDecoder", f"--model.decoder.name={sam}"),
        *("--trainer.callbacks=null", *more),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SamBackbone, Sam2Backbone])
def test_features_training_and_a_mask_without_the_folder(
    kind: type[TrunkBackbone],
    sam: Path,
    sam2: Path,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(sam2 if kind is Sam2Backbone else sam, folder)
    given = options(folder, "--model.fusion=NoFusion", backbone=kind.__name__)
    features = tmp_path / "features"
    assert main(["data", "features", *given, "--output", str(features)]) == 0

    def refuse(*_: object) -> None:
        raise AssertionError("the frozen network was used, though its features are kept")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(kind, "maps", refuse)
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


def squares() -> Batch:
    """Four pictures of a red and a blue square; two are asked by place, two by colour."""
    images = torch.full((4, 3, 48, 48), 60, dtype=torch.uint8)
    masks, tokens = torch.zeros(8, 48, 48, dtype=torch.bool), torch.zeros(8, 2, dtype=torch.int64)
    colours = torch.tensor([[220, 40, 40], [40, 40, 220]], dtype=torch.uint8)
    for image in range(4):
        rows = slice(4 * image + 4, 4 * image + 20)
        for side in range(2):
            columns, colour = slice(6 + 24 * side, 20 + 24 * side), (side + image) % 2
            images[image, :, rows, columns] = colours[colour][:, None, None]
            masks[2 * image + side, rows, columns] = True
            said = [2 + side, 0] if image < 2 else [4 + colour, 6]  # "left", "red square"
            tokens[2 * image + side] = torch.tensor(said)
    return Batch(
        images,
        tokens,
        tokens > 0,
        torch.arange(4).repeat_interleave(2),
        masks,
        ("",) * 8,
        tuple(range(8)),
        (RunLengths(48, 48, b""),) * 8,
        (Geometry.letterbox(48, 48, 48),) * 4,
        ("",) * 4,
    )


@pytest.mark.slow
@pytest.mark.parametrize("dense", [False, True])
def test_it_learns_pictures_by_heart(sam: Path, dense: bool) -> None:
    """SAM's encoder is random and stays as it is: its map shows places and colours all the same."""
    torch.manual_seed(0)
    network = Segmenter(
        partial(SamBackbone, str(sam), for_dense_prompt=dense),
        partial(LSTMEncoder, embedding_dim=16, hidden_dim=16, embedding_range=1.0),
        partial(CrossAttention, hidden_dim=16, heads=2) if dense else NoFusion,
        partial(SamDecoder, name=str(sam), dense=dense),
        vocab_size=7,
    )
    batch, loss = squares(), WeightedSum([WeightedLogisticLoss(), DiceLoss()], [2.0, 0.5])
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01, weight_decay=0.0)
    for _ in range(250):
        optimizer.zero_grad()
        loss(network(batch), batch).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    assert batch.masks is not None
    found = network.eval()(batch).logits > 0
    iou = (found & batch.masks).sum((1, 2)) / (found | batch.masks).sum((1, 2))
    assert iou.min() > 0.8
