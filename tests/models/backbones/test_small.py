"""The small backbone with the weights of another training, trained on or kept as it is."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import refseg
from refseg.__main__ import main
from refseg.errors import ConfigError
from refseg.models.backbones import SmallBackbone

from ...conftest import TINY

SIZES = {"width": 8, "image_dim": 8, "colour_dim": 4, "blocks": 2, "fine_dim": 16, "fine_blocks": 1}
IMAGES = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)


def test_it_starts_as_the_backbone_of_a_checkpoint(run: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    trained = refseg.load(checkpoint).segmenter.backbone.eval()
    backbone = SmallBackbone(**SIZES, weights=str(checkpoint)).eval()
    assert_close(backbone(IMAGES), trained(IMAGES), rtol=0, atol=0)
    assert backbone.origin["origin"] == "file"
    assert backbone.portable_arguments() == {"weights": None}


def test_weights_of_other_sizes_are_refused(run: Path) -> None:
    weights = str(run / "checkpoints" / "best.ckpt")
    with pytest.raises(ConfigError, match=r"best\.ckpt"):
        SmallBackbone(**{**SIZES, "width": 12}, weights=weights)


def test_what_is_frozen_stays_as_it_is(run: Path, tmp_path: Path) -> None:
    """Weights and statistics, in a training, which leaves a checkpoint that is complete."""
    weights = run / "checkpoints" / "best.ckpt"
    frozen = [f"--model.backbone.weights={weights}", "--model.backbone.frozen=true"]
    words = ["--config", "rmi.yaml", *TINY, *frozen, "--model.name_words=false"]
    loss = "--model.loss=DiceLoss"
    assert main(["fit", *words, loss, "--output", str(tmp_path / "frozen")]) == 0
    before = torch.load(weights, weights_only=True)["state_dict"]
    path = tmp_path / "frozen" / "checkpoints" / "best.ckpt"
    after = torch.load(path, weights_only=True)["state_dict"]
    own = [name for name in after if name.startswith("segmenter.backbone.")]
    assert own
    for name in own:
        assert_close(after[name], before[name], rtol=0, atol=0)
    assert not torch.equal(
        after["segmenter.fusion.word.weight"], before["segmenter.fusion.word.weight"]
    )
    backbone = refseg.load(path).segmenter.backbone
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone.train().levels[0].training
