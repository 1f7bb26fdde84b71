"""The papers' recipes: each runs for a step at reduced size, and says what was published."""

from pathlib import Path

import pytest
import yaml

from refseg.__main__ import main
from refseg.cli.configs.bases import read_yaml, with_bases
from refseg.cli.configs.files import PACKAGE_CONFIGS

from ...conftest import TINY_DATA

SETS = ["refcoco", "refcoco+", "refcocog", "referit"]
RMI = [f"{m}_{b}_{s}" for m in ("rmi", "lstm") for b in ("r", "d") for s in SETS]
SMALL = (
    *TINY_DATA[:2],
    *TINY_DATA[4:],
    "--data.dataset=shapes",
    "--data.split_by=null",
    "--data.train_splits=[train]",
    "--data.val_splits=[val]",
    "--data.image_size=64",
    "--trainer.max_epochs=-1",
    "--trainer.check_val_every_n_epoch=null",
    "--trainer.val_check_interval=1",
    "--trainer.fast_dev_run=true",
    "--model.text_encoder.embedding_dim=8",
    "--model.text_encoder.hidden_dim=8",
    "--model.fusion.hidden_dim=8",
)
BACKBONES = {
    "r": ("--model.backbone.name=resnet18", "--model.backbone.weights=null"),
    "d": (
        "--model.backbone.weights=null",
        "--model.backbone.blocks=[1,1,1,1]",
        "--model.backbone.width=4",
    ),
}


def options(name: str) -> dict:
    path = PACKAGE_CONFIGS / "paper" / f"{name}.yaml"
    return with_bases(read_yaml(path), path.parent)


def test_no_recipe_is_forgotten() -> None:
    found = {path.stem for path in (PACKAGE_CONFIGS / "paper").glob("*.yaml")}
    assert found == {
        *RMI,
        "batched",
        "lstm_cnn_referit",
        *(f"lstm_cnn_referit_{s}" for s in STAGES),
    }


@pytest.mark.parametrize("name", RMI)
def test_rmi_and_its_baseline_as_published(name: str) -> None:
    system, backbone, dataset = name.split("_")
    config = options(name)
    model, data = config["model"], config["data"]
    assert config["trainer"]["max_steps"] == 750_000
    assert (data["batch_size"], data["max_expressions"], data["image_size"]) == (1, 1, 320)
    assert model["loss"]["init_args"]["loss"]["init_args"] == {"reduction": "sum"}
    assert model["optimizer"]["init_args"] == {"lr": 2.5e-4, "weight_decay": 0.0005}
    fusion = {"rmi": "MultimodalLSTM", "lstm": "ConcatFusion"}[system]
    assert model["fusion"]["class_path"] == fusion
    part = model["backbone"]
    part = yaml.safe_load(Path(part).read_text()) if isinstance(part, str) else part
    assert part["init_args"]["frozen"] is True
    assert part["class_path"] == {"r": "TorchvisionBackbone", "d": "AtrousResNet"}[backbone]
    assert data["dataset"] == {"referit": "refclef"}.get(dataset, dataset)


@pytest.mark.parametrize("name", RMI)
def test_rmi_and_its_baseline_are_made_of_parts(name: str) -> None:
    """A system, a backbone and a data set, each of which takes a step in the next test."""
    parts = ["rmi_recipe", *name.split("_")]
    base = [f"paper/parts/{part}.yaml" for part in parts]
    assert read_yaml(PACKAGE_CONFIGS / "paper" / f"{name}.yaml") == {"base": base}


@pytest.mark.parametrize(
    "name", ["rmi_r_refcoco", "lstm_r_refcoco+", "rmi_d_refcocog", "lstm_d_referit"]
)
def test_a_step_of_rmi(name: str, tmp_path: Path) -> None:
    _, backbone, _ = name.split("_")
    words = ["fit", "--config", f"paper/{name}.yaml", *SMALL, *BACKBONES[backbone]]
    words += ["--model.fusion.projection_dim=8", "--data.num_workers=0"]
    assert main([*words, "--output", str(tmp_path)]) == 0


def test_a_step_of_the_batched_recipe(tmp_path: Path) -> None:
    words = ["fit", "--config", "paper/rmi_r_refcoco.yaml", "--config", "paper/batched.yaml"]
    words += [*SMALL, *BACKBONES["r"], "--model.fusion.projection_dim=8"]
    assert main([*words, "--output", str(tmp_path)]) == 0


STAGES = ["region", "lowres", "highres"]
SMALL_LSTM_CNN = (
    *SMALL,
    "--model.backbone.weights=null",
    "--model.backbone.hidden_dim=8",
    "--model.backbone.image_dim=8",
    "--model.backbone.width=4",
)


def test_lstm_cnn_as_published() -> None:
    region, lowres, highres = (options(f"lstm_cnn_referit_{stage}") for stage in STAGES)
    stages = (region, lowres, highres)
    assert [stage["trainer"]["max_steps"] for stage in stages] == [25_000, 30_000, 18_000]
    steps = [stage["model"]["lr_scheduler"]["init_args"]["step_size"] for stage in stages]
    assert steps == [10_000, 10_000, 6_000]
    frozen = [stage["model"]["backbone"]["init_args"]["frozen"] for stage in stages]
    assert frozen == ["all", "convolutions", "convolutions"]
    learned = [stage["model"]["decoder"]["init_args"]["learned"] for stage in stages]
    assert learned == [False, False, True]
    assert [*lowres["model"]["loss"]["init_args"].values()][1:] == [32, "any_foreground", "middle"]
    assert highres["model"]["loss"]["init_args"]["negative_weight"] == pytest.approx(1 / 3)
    for stage in stages:
        optimizer = stage["model"]["optimizer"]["init_args"]
        assert optimizer == {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005}
        assert stage["data"]["train_splits"] == ["trainval"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_of_lstm_cnn(stage: str, tmp_path: Path) -> None:
    words = ["fit", "--config", f"paper/lstm_cnn_referit_{stage}.yaml", *SMALL_LSTM_CNN]
    assert main([*words, "--output", str(tmp_path)]) == 0
