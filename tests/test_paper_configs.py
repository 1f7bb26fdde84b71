"""The papers' recipes: each runs for a step at reduced size, and says what was published."""

from pathlib import Path

import pytest
import yaml

from refseg.__main__ import main
from refseg.config_bases import read_yaml, with_bases
from refseg.config_files import PACKAGE_CONFIGS

from .conftest import TINY_DATA

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
    assert found == {*RMI, "batched"}


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
def test_a_step_of_rmi(name: str, tmp_path: Path) -> None:
    _, backbone, _ = name.split("_")
    words = ["fit", "--config", f"paper/{name}.yaml", *SMALL, *BACKBONES[backbone]]
    words += ["--model.fusion.projection_dim=8", "--data.num_workers=0"]
    assert main([*words, "--output", str(tmp_path)]) == 0


def test_a_step_of_the_batched_recipe(tmp_path: Path) -> None:
    words = ["fit", "--config", "paper/rmi_r_refcoco.yaml", "--config", "paper/batched.yaml"]
    words += [*SMALL, *BACKBONES["r"], "--model.fusion.projection_dim=8"]
    assert main([*words, "--output", str(tmp_path)]) == 0
