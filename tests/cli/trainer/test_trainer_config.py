"""What is turned off is not asked for, and everything else goes on."""

import json
from pathlib import Path

import pytest
from jsonargparse import Namespace

from refseg.__main__ import main
from refseg.cli.trainer.trainer_config import listed, turn_off

from ...conftest import TINY

OPTIONS = {
    "logger": "--trainer.logger=false",
    "checkpoints": "--trainer.enable_checkpointing=false",
    "both": "--trainer.barebones=true",
}


def part(name: str) -> Namespace:
    return Namespace(class_path=f"lightning.pytorch.callbacks.{name}", init_args=Namespace())


@pytest.mark.parametrize("off", OPTIONS)
def test_a_run_goes_without(off: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", OPTIONS[off], "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main(words) == 0
    results = json.loads((tmp_path / "metrics.json").read_text())
    assert 0 <= results["metrics"]["val"]["overall_iou"] <= 1
    assert results["steps"] == 3
    is_logging, is_saving = off == "checkpoints", off == "logger"
    assert (tmp_path / "logs").exists() == is_logging
    assert bool([*tmp_path.rglob("*.ckpt")]) == is_saving
    best = str(tmp_path / "checkpoints" / "best.ckpt") if is_saving else None
    assert results["checkpoint"] == best
    shown = capsys.readouterr().out
    assert ("checkpoint:" in shown) == is_saving
    assert ("Barebones: no logger, no checkpoints" in shown) == (off == "both")


@pytest.mark.parametrize("off", ["logger", "both"])
def test_an_evaluation_goes_without(off: str, run: Path, tmp_path: Path) -> None:
    words = ["validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), OPTIONS[off]]
    assert main([*words, "--output", str(tmp_path)]) == 0
    figures = [json.loads((path / "metrics.json").read_text()) for path in (run, tmp_path)]
    assert figures[0]["metrics"] == figures[1]["metrics"]


@pytest.mark.parametrize(
    ("logger", "checkpointing", "kept"),
    [
        (True, None, ["ModelCheckpoint", "LearningRateMonitor", "EarlyStopping"]),
        (None, True, ["ModelCheckpoint", "LearningRateMonitor", "EarlyStopping"]),
        ([], None, ["ModelCheckpoint", "EarlyStopping"]),
        (False, False, ["EarlyStopping"]),
    ],
)
def test_callbacks_go_with_what_they_need(
    logger: object, checkpointing: bool | None, kept: list[str]
) -> None:
    names = ["ModelCheckpoint", "LearningRateMonitor", "EarlyStopping"]
    trainer = Namespace(
        logger=logger,
        enable_checkpointing=checkpointing,
        barebones=False,
        callbacks=[part(name) for name in names],
    )
    turn_off(trainer)
    assert [part.class_path.rpartition(".")[2] for part in trainer.callbacks] == kept


def test_weights_are_averaged_in_training_alone() -> None:
    names = ["EMAWeightAveraging", "EarlyStopping"]
    for trains, kept in ((True, names), (False, names[1:])):
        trainer = Namespace(logger=True, enable_checkpointing=None, barebones=False)
        trainer.callbacks = [part(name) for name in names]
        turn_off(trainer, trains=trains)
        assert [part.class_path.rpartition(".")[2] for part in trainer.callbacks] == kept


def test_one_callback_may_stand_alone() -> None:
    assert listed(part("Timer")) == [part("Timer")]
    assert listed(None) == listed(True) == []
