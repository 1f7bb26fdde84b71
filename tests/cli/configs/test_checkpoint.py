"""What a verb takes from the config in a checkpoint, and what it leaves alone."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

import refseg
from refseg.__main__ import main
from refseg.cli.configs.checkpoint import config_of
from refseg.errors import CheckpointError
from refseg.training.callbacks import CompleteCheckpoint

from ...conftest import TINY

QUIET = "--trainer.enable_progress_bar=false"


@pytest.fixture(scope="module")
def honest(run: Path) -> dict[str, Any]:
    """The content of a checkpoint."""
    content: dict[str, Any] = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    return content


def changed(content: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The same checkpoint with another config."""
    config = yaml.safe_load(content["refseg"]["config"])
    change(config)
    return {**content, "refseg": {**content["refseg"], "config": yaml.safe_dump(config)}}


def test_model_and_data_are_taken_and_nothing_that_writes(honest: dict[str, Any]) -> None:
    elsewhere = {"save_dir": "/elsewhere", "dirpath": "/elsewhere"}

    def change(config: dict[str, Any]) -> None:
        config["output"] = config["ckpt_path"] = "/elsewhere"
        config["base"] = "evil.yaml"
        config["trainer"]["default_root_dir"] = "/elsewhere"
        config["trainer"]["precision"] = "bf16-mixed"
        config["trainer"]["logger"] = {"class_path": "x.Logger", "init_args": elsewhere}
        config["trainer"]["callbacks"] = ["this.Zen", {"class_path": "x.Y", "init_args": elsewhere}]
        config["model"] |= {"start_from": "/elsewhere", "backbone": {"class_path": "x.Evil"}}
        config["data"] |= {"features": "/elsewhere", "vocabulary_from": "/elsewhere"}
        config["data"] |= {
            "tokenizer": {"class_path": "x.Evil"},
            "root": "/data",
            "num_workers": 999,
        }

    config = config_of(changed(honest, change), "x.ckpt")
    assert config is not None
    text = yaml.safe_dump(config)
    assert not any(word in text for word in ("elsewhere", "Evil", "evil", "Zen", "x.Y", "x.Logger"))
    parts = [config["model"][part]["class_path"] for part in ("backbone", "fusion")]
    assert [path.rpartition(".")[2] for path in parts] == ["SmallBackbone", "MultimodalLSTM"]
    assert config["model"]["loss"]["class_path"].rpartition(".")[2] == "WeightedSum"
    assert (config["data"]["root"], config["data"]["image_size"]) == ("/data", 48)
    assert config["data"]["num_workers"] < 999
    assert config["trainer"]["precision"] == "bf16-mixed"
    assert config["seed_everything"] == 0


@pytest.mark.parametrize(
    ("section", "option", "value", "expected"),
    [
        ("data", "stream", "https://host/shards", "come from https://host/shards"),
        ("data", "stream", "zip::x", "not connected to unasked"),
        ("data", "image_size", 10**9, "data.image_size = 1,000,000,000"),
        ("data", "batch_size", 10**9, "data.batch_size"),
        ("data", "shapes", {"train_images": 10**6}, "data.shapes.train_images"),
        ("data", "augmentation", {"class_path": "os.system"}, "as augmentation"),
        ("model", "loss", {"class_path": "torch.nn.Linear"}, "as loss"),
        ("model", "regions", "os.system", "as regions"),
        ("trainer", "precision", "x", "as precision"),
    ],
)
def test_what_is_taken_is_looked_at(
    section: str, option: str, value: object, expected: str, honest: dict[str, Any]
) -> None:
    content = changed(honest, lambda config: config[section].update({option: value}))
    with pytest.raises(CheckpointError, match=r"x\.ckpt") as caught:
        config_of(content, "x.ckpt")
    assert expected in str(caught.value)
    if option == "stream":
        taken = config_of(content, "x.ckpt", given=["stream"])
        assert taken is not None
        assert "stream" not in taken["data"], "the user's own counts"


def test_an_evaluation_without_a_config_has_the_figures_of_one_with_it(
    run: Path, eager: Path, tmp_path: Path
) -> None:
    words = ["test", "--ckpt_path", str(eager), QUIET]
    assert main([*words, "--output", str(tmp_path / "a")]) == 0
    config = str(run / "config.yaml")
    assert main([*words, "--config", config, "--output", str(tmp_path / "b")]) == 0
    a, b = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in "ab")
    assert a["metrics"] == b["metrics"]
    assert a["metrics"]["val"]["overall_iou"] > 0


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package in the working directory with a fusion of its own."""
    name = "own_fusions_of_a_test"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "tiled.py").write_text(
        "from refseg.models.fusion import ConcatFusion\n\n\n"
        "class Tiled(ConcatFusion):\n    '''My own.'''\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    # It stays imported: its class stays known to `ConcatFusion`, and is looked up by later tests.
    return name


def test_classes_of_ones_own_from_training_to_use(
    own_package: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    option, output = f"--import={own_package}", str(tmp_path / "run")
    fit = ["fit", "--config", "lstm_cnn.yaml", *TINY, "--output", output]
    fusion = f"--model.fusion={own_package}.tiled.Tiled"
    assert main([*fit, fusion, option]) == 0
    assert "import" not in yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    checkpoint = str(tmp_path / "run" / "checkpoints" / "best.ckpt")
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    segment = ["segment", str(photo), "red star", "--checkpoint", checkpoint, "--output", output]
    test = ["test", "--ckpt_path", checkpoint, QUIET]
    for words in (segment, test):
        assert main(words) == 2
        message = capsys.readouterr().err
        assert f"{own_package}.tiled.Tiled' as fusion" in message
        assert f"--import {own_package}" in message
    assert main([*test, "--import", own_package]) == 0
    model = refseg.load(checkpoint, import_packages=[own_package])
    assert type(model.segmenter.fusion).__name__ == "Tiled"
    assert main([*segment, option]) == 0
    assert main([*segment, "--import", "no_such_package_of_mine"]) == 2
    assert "no_such_package_of_mine" in capsys.readouterr().err


def test_files_of_others_are_not_taken_for_ones_own_best(run: Path, tmp_path: Path) -> None:
    """Lightning removes what the state calls the best so far, once there is a better one."""
    own, other = tmp_path / "run" / "checkpoints", tmp_path / "other.ckpt"
    own.mkdir(parents=True)
    shutil.copy(run / "checkpoints" / "best.ckpt", own / "best.ckpt")

    trainer = Trainer(accelerator="cpu", logger=False, callbacks=[ModelCheckpoint(own)])
    trainer.ckpt_path = str(own / "last.ckpt")

    def kept(**state: object) -> bool:
        checkpoint = {"callbacks": {"a": state}}
        CompleteCheckpoint({}).on_load_checkpoint(trainer, LightningModule(), checkpoint)
        return bool(checkpoint["callbacks"])

    assert kept(best_model_path=str(own / "best.ckpt"), best_k_models={str(own / "best.ckpt"): 1})
    assert kept(best_model_path="", last_model_path="", wait=3)
    assert not kept(best_model_path=str(other))
    assert not kept(best_model_path="", best_k_models={str(other): 1})
    assert not kept(kth_best_model_path=f"{own}/../../other.ckpt")
    assert not kept(last_model_path=["x"])
    assert not kept(best_model_path="http://127.0.0.1/best.ckpt")
