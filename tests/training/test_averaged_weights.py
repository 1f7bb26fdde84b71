"""Averages of weights, by Lightning's own callback, from a config to what a checkpoint opens as."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import refseg
from refseg.__main__ import main

from ..conftest import TINY

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
]

DECAY = 0.6
AVERAGES = (
    "--trainer.callbacks+="
    "{class_path: lightning.pytorch.callbacks.EMAWeightAveraging, init_args: {decay: 0.6}}"
)
EVERY_STEP = (
    "--trainer.callbacks+={class_path: lightning.pytorch.callbacks.ModelCheckpoint, init_args: "
    "{dirpath: steps, filename: '{step}', every_n_train_steps: 1, save_top_k: -1}}"
)
FIT = ("fit", "--config", "rmi.yaml", *TINY, AVERAGES)


def read(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def averaged(shapes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three steps, with a checkpoint of each."""
    folder = tmp_path_factory.mktemp("averaged")
    assert main([*FIT, EVERY_STEP, "--output", str(folder)]) == 0
    return folder


def test_a_checkpoint_has_the_average_and_what_training_goes_on_with(averaged: Path) -> None:
    """Each step's average is 0.6 of the one before and 0.4 of the weights."""
    steps = [read(averaged / "steps" / f"step={step}.ckpt") for step in (1, 2, 3)]
    last = read(averaged / "checkpoints" / "last.ckpt")
    assert last["averaging_state"]["n_averaged"] == 3
    for name, found in last["state_dict"].items():
        weights = [step["current_model_state"][name] for step in steps]
        expected = weights[0]
        for weight in weights[1:]:
            expected = (DECAY * expected + (1 - DECAY) * weight).to(weight.dtype)
        assert_close(found, expected)
        assert last["current_model_state"][name].equal(weights[-1])

    moved = "segmenter.decoder.classifier.weight"
    assert not last["state_dict"][moved].equal(last["current_model_state"][moved])


def test_a_checkpoint_opens_as_the_average(averaged: Path, photo: Path, tmp_path: Path) -> None:
    path = averaged / "checkpoints" / "best.ckpt"
    average = read(path)["state_dict"]
    pipeline = refseg.load(path)
    for name, weight in pipeline.segmenter.state_dict().items():
        assert weight.equal(average[f"segmenter.{name}"])
    words = ["validate", "--config", "rmi.yaml", *TINY, AVERAGES, "--ckpt_path", str(path)]
    assert main([*words, "--output", str(tmp_path / "validate")]) == 0
    figures = [(one / "metrics.json").read_text() for one in (averaged, tmp_path / "validate")]
    assert len({text[text.index("metrics") : text.index("trained_on")] for text in figures}) == 1


def test_going_on_continues_the_average(averaged: Path, tmp_path: Path) -> None:

    checkpoint = str(averaged / "checkpoints" / "last.ckpt")
    longer = ["--trainer.max_epochs=2", "--ckpt_path", checkpoint, "--output", str(tmp_path)]
    assert main([*FIT, *longer]) == 0
    last = read(tmp_path / "checkpoints" / "last.ckpt")
    assert last["averaging_state"]["n_averaged"] == 6
    assert last["global_step"] == 6
