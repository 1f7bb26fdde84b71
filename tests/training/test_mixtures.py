"""A mixture from `fit` to `test`: figures, names, and what checkpoint and results say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from refseg.__main__ import main

from ..conftest import TINY
from ..data.fake_mixture import write_fake_mixture

MIXED = (
    *("fit", "--config", "rmi.yaml", "--data", "data/mixed.yaml", *TINY[2:]),
    *("--data.expressions_per_image=2", "--data.batch_size=2"),
)
EVALUATED = [
    *("refcoco/val", "refcoco/testA", "refcoco/testB"),
    *("refcoco+/val", "refcoco+/testA", "refcoco+/testB"),
    *("refcocog/val", "refcocog/test"),
]


@pytest.fixture(scope="module")
def mixed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_mixture(tmp_path_factory.mktemp("mixed") / "root")


@pytest.fixture(scope="module")
def mixed_run(mixed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished `refseg fit` on a mixture."""
    folder = tmp_path_factory.mktemp("mixed-run")
    words = [*MIXED, f"--data.root={mixed_root}", "--output", str(folder)]
    assert main([*words, "--trainer.max_epochs=2"]) == 0
    return folder


def saved(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def test_fit_names_each_set_and_the_mean(mixed_run: Path) -> None:
    results = saved(mixed_run)
    assert list(results["metrics"]) == ["refcoco/val", "refcoco+/val", "refcocog/val", "val"]
    *sets, mean = (figures["overall_iou"] for figures in results["metrics"].values())
    assert mean == pytest.approx(sum(sets) / 3, abs=1e-12)
    assert results["trained_on_evaluation_images"] is False
    # Four items an epoch are left: one of image 1 for each set, and image 7.
    assert results["steps"] == 2 * 2


def test_test_repeats_the_figures_of_fit(mixed_run: Path, tmp_path: Path) -> None:
    checkpoint = mixed_run / "checkpoints" / "best.ckpt"
    assert main(["test", "--ckpt_path", str(checkpoint), "--output", str(tmp_path)]) == 0
    tested, fitted = saved(tmp_path), saved(mixed_run)
    assert list(tested["metrics"]) == EVALUATED
    for name in ("refcoco/val", "refcoco+/val", "refcocog/val"):
        assert tested["metrics"][name] == fitted["metrics"][name]
    assert tested["trained_on_evaluation_images"] is False
    assert main(["validate", "--ckpt_path", str(checkpoint), "--output", str(tmp_path)]) == 0
    assert saved(tmp_path)["metrics"] == fitted["metrics"]


def test_checkpoint_and_results_tell_of_training_on_evaluation_images(
    mixed_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*MIXED, f"--data.root={mixed_root}", "--output", str(tmp_path)]
    assert main([*words, "--data.train_on_evaluation_images=true"]) == 0
    assert "refcoco (unc): trained on 2 of 3 training images" in capsys.readouterr().err
    assert saved(tmp_path)["trained_on_evaluation_images"] is True
    path = tmp_path / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["refseg"]["trained_on_evaluation_images"] is True
    assert "train_on_evaluation_images: true" in checkpoint["refseg"]["config"]
    # Whatever the options of a later evaluation say.
    words = ["test", "--ckpt_path", str(path), "--data.train_on_evaluation_images=false"]
    assert main([*words, "--output", str(tmp_path / "test")]) == 0
    assert saved(tmp_path / "test")["trained_on_evaluation_images"] is True


def test_predict_keeps_the_sets_apart(mixed_run: Path, tmp_path: Path) -> None:
    """The expressions of two sets have the same ids."""
    checkpoint = mixed_run / "checkpoints" / "best.ckpt"
    words = ["predict", "--ckpt_path", str(checkpoint), "--output", str(tmp_path)]
    assert main([*words, "--data.test_splits=[val]"]) == 0
    lines = (tmp_path / "predictions.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len({(record["split"], record["expression_id"]) for record in records}) == 18
    assert len({record["mask"] for record in records}) == 18
    assert all((tmp_path / record["mask"]).is_file() for record in records)


def test_another_figure_can_choose_the_best(mixed_root: Path, tmp_path: Path) -> None:
    words = [*MIXED, f"--data.root={mixed_root}", "--output", str(tmp_path)]
    config = tmp_path / "callbacks.yaml"
    config.write_text(
        "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.ModelCheckpoint\n"
        "    init_args: {dirpath: checkpoints, filename: best, mode: max, "
        "monitor: refcocog/val/mean_iou}\n"
    )
    assert main([*words, f"--config={config}", "--trainer.max_epochs=3"]) == 0
    checkpoint = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    (state,) = (v for k, v in checkpoint["callbacks"].items() if k.startswith("ModelCheckpoint"))
    best = saved(tmp_path)["metrics"]["refcocog/val"]["mean_iou"]
    assert float(state["best_model_score"]) == pytest.approx(best, abs=1e-6)


def test_one_data_set_on_the_command_line(mixed_root: Path, tmp_path: Path) -> None:
    words = [*MIXED, f"--data.root={mixed_root}", "--output", str(tmp_path)]
    step = "--trainer.fast_dev_run=true"
    assert main([*words, step, "--data.dataset=refcoco", "--data.split_by=unc"]) == 0
    assert main([*words, step, "--data.dataset=[refcoco:unc, refcocog:umd]"]) == 0


def test_a_misspelt_key(mixed_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*MIXED, f"--data.root={mixed_root}", "--data.dataset=[{nme: refcoco}]"]
    assert main(words) == 2
    message = capsys.readouterr().err
    assert "is no data set: expected NAME, NAME:SPLIT_BY, or a mixture" in message
    assert len(message.splitlines()) == 1


@pytest.mark.slow
def test_two_processes_count_what_one_counts(
    mixed_root: Path, mixed_run: Path, tmp_path: Path
) -> None:
    """And the lines on what is left out come once."""
    words = [
        *(*MIXED, f"--data.root={mixed_root}", "--output", str(tmp_path), "--data.batch_size=1"),
        *("--trainer.devices=2", "--trainer.strategy=ddp"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("refcocog (umd): 1 of 3 training images") == 1
    together = saved(tmp_path)
    assert together["steps"] == 2  # four items, one for each process in a step
    alone = [
        *("validate", "--ckpt_path", str(tmp_path / "checkpoints" / "best.ckpt")),
        *("--trainer.devices=1", "--trainer.strategy=auto", "--output", str(tmp_path / "alone")),
    ]
    assert main(alone) == 0
    assert saved(tmp_path / "alone")["metrics"] == together["metrics"]
