"""CLIPSeg on one's own pairs: from its config to masks, and back to the transformers library."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import refseg
from refseg.__main__ import main
from refseg.errors import ConfigError
from refseg.inference.pipeline import Pipeline
from refseg.inference.text_to_mask.clipseg import ClipSeg
from refseg.inference.text_to_mask.saving import save_clipseg

from ..conftest import TINY_DATA

pytest.importorskip("transformers")

SENTENCES = ["red circle", "the large blue star on the left"]


def options(folder: Path, *more: str) -> list[str]:
    """Of the built-in set, where words are longer than the tiny tokenizer knows."""
    parts = ("model.backbone", "model.text_encoder", "model.decoder", "data.tokenizer")
    return [
        *("--config", "clipseg.yaml", "--data.dataset=shapes", *TINY_DATA),
        *("--data.image_size=64", "--data.tokenizer.max_words=32", "--trainer.callbacks=null"),
        *(f"--{part}.name={folder}" for part in parts),
        *("--model.optimizer.lr=0.01", *more),
    ]


@pytest.fixture(scope="module")
def trained(
    foreign_models: Path, shapes_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint, whose model's own files are gone."""
    place = tmp_path_factory.mktemp("clipseg")
    folder = place / "weights"
    shutil.copytree(foreign_models / "clipseg", folder)
    assert main(["fit", *options(folder), "--output", str(place / "run")]) == 0
    shutil.rmtree(folder)
    return place / "run" / "checkpoints" / "best.ckpt"


def test_the_decoder_alone_is_trained(trained: Path, foreign_models: Path) -> None:
    from safetensors.torch import load_file

    before = load_file(foreign_models / "clipseg" / "model.safetensors")
    weights = torch.load(trained, weights_only=True)["state_dict"]
    parts = {
        "segmenter.backbone.trunk.": "clip.",
        "segmenter.text_encoder.trunk.": "clip.text_model.",
        "segmenter.text_encoder.projection.": "clip.text_projection.",
        "segmenter.decoder.network.": "decoder.",
    }
    found = {
        name.replace(ours, theirs): weight
        for name, weight in weights.items()
        for ours, theirs in parts.items()
        if name.startswith(ours)
    }
    assert {*found} == {*before}, "nothing of it is lost"
    changed = {name for name, weight in found.items() if not weight.equal(before[name])}
    assert changed == {name for name in before if name.startswith("decoder.")}


def test_a_checkpoint_opens_without_its_files_and_goes_back_to_the_library(
    trained: Path, photo: Path, tmp_path: Path
) -> None:
    model = refseg.load(trained)
    assert isinstance(model, Pipeline)
    assert main(["test", "--checkpoint", str(trained), "--output", str(tmp_path / "test")]) == 0
    words = ["export", str(trained), "--format", "transformers"]
    assert main([*words, "--output", str(tmp_path / "theirs")]) == 0
    theirs = refseg.load(tmp_path / "theirs")
    assert isinstance(theirs, ClipSeg)
    ours = model.segment_all(photo, SENTENCES)
    assert 0.01 < np.mean([one.mask.mean() for one in ours]) < 0.99
    for one, other in zip(ours, theirs.segment_all(photo, SENTENCES), strict=True):
        # The library scales the photograph by its own code.
        assert (one.mask == other.mask).mean() > 0.98
        assert one.score == pytest.approx(other.score, abs=0.01)
    with pytest.raises(ConfigError, match="Expected a new or empty folder"):
        save_clipseg(model, tmp_path / "theirs")
    shared = refseg.load(model.save_pretrained(tmp_path / "shared"))
    assert (shared.segment(photo, SENTENCES[0]).mask == ours[0].mask).all()


def test_other_models_do_not_go_to_the_library(run: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got SmallBackbone, LSTMEncoder, MaskEmbeddingDecoder"):
        save_clipseg(refseg.load(run / "checkpoints" / "best.ckpt"), tmp_path / "new")
    model = refseg.load(trained)
    model.geometry = "letterbox"
    with pytest.raises(ConfigError, match=r"--data\.geometry squash"):
        save_clipseg(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_what_clip_sees_is_computed_once(
    foreign_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refseg.models.backbones import ClipSegBackbone

    given = options(foreign_models / "clipseg", "--data.augmentation=null")
    features = tmp_path / "features"
    assert main(["data", "features", *given, "--output", str(features)]) == 0

    def refuse(*_: object) -> None:
        raise AssertionError("the frozen network was used, though its features are kept")

    monkeypatch.setattr(ClipSegBackbone, "maps", refuse)
    words = ["fit", *given, f"--data.features={features}", "--output", str(tmp_path / "run")]
    assert main(words) == 0
