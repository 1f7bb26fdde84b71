"""The recipe for photographs: on a folder of one's own, and on real photographs."""

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from refseg.__main__ import main

from ...data.fake_folder import write_fake_folder

FIT = ("fit", "--config", "photos.yaml", "--trainer.enable_progress_bar=false")
SHORT = ("--trainer.max_epochs=2", "--data.image_size=64", "--data.num_workers=0")


@pytest.mark.parametrize("data", [[], ["--data", "data/folder.yaml"]], ids=["recipe", "folder"])
def test_a_folder_of_ones_own(data: list[str], tmp_path: Path) -> None:
    """Two steps: what was trained elsewhere stays, and the words start as vectors."""
    root = write_fake_folder(tmp_path / "data")
    torch.manual_seed(0)
    trunk = timm.create_model("tf_efficientnet_lite2").state_dict()
    save_file(trunk, weights := tmp_path / "lite2.safetensors")
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("".join(f"{word}{' 0.5' * 50}\n" for word in ("dog", "left", "brown")))
    words = [*FIT, *data, *SHORT, f"--data.root={root}", "--data.dataset=mine"]
    words += [f"--model.backbone.weights={weights}", f"--model.text_encoder.vectors={vectors}"]
    assert main([*words, "--output", str(tmp_path / "run")]) == 0
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2
    kept = {
        name.removeprefix("segmenter.backbone.trunk."): weight
        for name, weight in checkpoint["state_dict"].items()
        if name.startswith("segmenter.backbone.")
    }
    assert len(kept) > 200
    assert all(weight.equal(trunk[name]) for name, weight in kept.items())
    embeddings = checkpoint["state_dict"]["segmenter.text_encoder.embedding.weight"]
    assert ((embeddings - 0.5).abs() < 0.02).all(1).any()  # as in the file, and two steps


def test_without_a_network_the_message_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = timm.create_model

    def offline(name: str, pretrained: bool, **options: object) -> torch.nn.Module:
        if pretrained:
            raise OSError("no network")
        return make(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    root = write_fake_folder(tmp_path / "data")
    words = [*FIT, *SHORT, f"--data.root={root}", "--data.dataset=mine"]
    assert main([*words, "--output", str(tmp_path / "run")]) != 0
    assert "--model.backbone.weights FILE" in capsys.readouterr().err


@pytest.mark.slow
def test_two_epochs_on_photographs(shared: Path, tmp_path: Path) -> None:
    """An eighth of the recipe finds something: what is predicted at random scores below 10 %."""
    weights = shared / "weights" / "efficientnet_lite2_imagenet.safetensors"
    vectors = shared / "weights" / "glove_6b_50d_60k.txt"
    if not weights.is_file() or not vectors.is_file():
        pytest.skip(f"{weights} or {vectors} is absent")
    words = [*FIT, f"--data.root={shared / 'data' / 'pool'}", "--data.dataset=pool"]
    words += [f"--model.backbone.weights={weights}", f"--model.text_encoder.vectors={vectors}"]
    words += ["--trainer.max_epochs=2", "--output", str(tmp_path)]
    assert main(words) == 0
    assert (
        json.loads((tmp_path / "metrics.json").read_text())["metrics"]["val"]["overall_iou"] > 0.2
    )
