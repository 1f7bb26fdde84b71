"""The verbs of the trainer, as a user calls them, on a handful of built-in images."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import read_results

from ...conftest import TINY


def figures(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "metrics.json").read_text())["metrics"]


def test_fit_leaves_a_checkpoint_its_config_figures_and_pictures(run: Path) -> None:
    results = json.loads((run / "metrics.json").read_text())
    assert set(results["metrics"]) == {"val"}
    thresholds = [f"precision@0.{digit}" for digit in range(5, 10)]
    assert list(results["metrics"]["val"]) == ["overall_iou", "mean_iou", *thresholds]
    assert results["parameters"] == results["trainable_parameters"] > 1000
    assert results["checkpoint"] == str(run / "checkpoints" / "best.ckpt")
    assert Path(results["checkpoint"]).is_file()
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["fusion"]["class_path"].endswith("MultimodalLSTM")
    with Image.open(run / "examples.png") as sheet:
        assert min(sheet.size) > 200
    assert list((run / "logs").glob("events.out.tfevents.*"))


def test_fit_leaves_the_rows_of_its_validation(run: Path) -> None:
    """By the weights that are kept, as `refseg validate` would write them afterwards."""
    results = read_results(run)
    assert results.path == run / "validate" / "results.parquet"
    assert results.summary["metrics"] == figures(run)
    assert figures_of(results.table) == figures(run)
    kept = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert results.summary["trained_steps"] == kept["global_step"]
    assert results.summary["checkpoint"] == str(run / "checkpoints" / "best.ckpt")


def test_a_trial_leaves_no_rows(tmp_path: Path) -> None:
    words = ["--config", "rmi.yaml", *TINY, "--trainer.fast_dev_run=true"]
    assert main(["fit", *words, "--output", str(tmp_path)]) == 0
    assert not (tmp_path / "validate").exists()


def test_test_repeats_the_figures_of_fit_bit_for_bit(run: Path, tmp_path: Path) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    with_config = ["--config", str(run / "config.yaml"), "--ckpt_path", checkpoint]
    assert main(["test", *with_config, "--output", str(tmp_path / "a")]) == 0
    assert main(["validate", "--ckpt_path", checkpoint, "--output", str(tmp_path / "b")]) == 0
    assert list(figures(tmp_path / "a")) == ["val", "testA", "testB"]
    assert figures(tmp_path / "a")["val"] == figures(run)["val"]
    assert figures(tmp_path / "b") == figures(run)


def test_results_of_a_checkpoint_lie_beside_it_by_default(run: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    assert main(["validate", "--ckpt_path", str(checkpoint)]) == 0
    assert figures(run / "validate") == figures(run)


def test_predict_writes_a_mask_per_expression(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["predict", "--ckpt_path", checkpoint, "--output", str(tmp_path)]
    (tmp_path / "predictions-1.jsonl").write_text("of two processes, earlier")
    assert main([*words, "--data.test_splits=[testA]"]) == 0
    assert not (tmp_path / "predictions-1.jsonl").exists()
    shown = capsys.readouterr().out.splitlines()
    where = {"masks": tmp_path / "masks", "list": tmp_path / "predictions.jsonl"}
    assert shown[:2] == [f"{name + ':':<12}{path}" for name, path in where.items()]
    lines = (tmp_path / "predictions.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len({record["expression_id"] for record in records}) == len(records) > 4
    for record in records:
        with Image.open(tmp_path / record["mask"]) as mask, Image.open(record["image"]) as image:
            assert mask.size == image.size
            assert set(np.unique(np.asarray(mask))) <= {0, 255}


def test_a_run_goes_on_where_it_was_stopped(run: Path, tmp_path: Path) -> None:
    last = str(run / "checkpoints" / "last.ckpt")
    before = torch.load(last, weights_only=True)["global_step"]
    words = ["fit", "--config", str(run / "config.yaml"), "--output", str(tmp_path)]
    assert main([*words, "--ckpt_path", last, "--trainer.max_epochs=2"]) == 0
    after = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["global_step"]
    assert after == 2 * before


def test_the_same_seed_gives_the_same_weights(run: Path, tmp_path: Path) -> None:
    assert main(["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]) == 0
    first, second = (
        torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for folder in (run, tmp_path)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert figures(run) == figures(tmp_path)


def test_bf16_mixed_precision(tmp_path: Path) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--trainer.precision=bf16-mixed"]) == 0
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert {value.dtype for value in state.values()} <= {torch.float32, torch.int64}
    assert 0 <= figures(tmp_path)["val"]["overall_iou"] <= 1


def test_lstm_cnn_and_dice(tmp_path: Path) -> None:
    loss = "{class_path: DiceLoss}"
    words = ["fit", "--config", "lstm_cnn.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, f"--model.loss={loss}"]) == 0
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["model"]["fusion"]["class_path"].endswith("ConcatFusion")
    assert config["model"]["loss"]["class_path"].endswith("DiceLoss")


def test_an_interrupted_training_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from refseg.training.module import ReferringSegmentation

    original = ReferringSegmentation.training_step

    def interrupt(self: ReferringSegmentation, batch: object, batch_index: int) -> object:
        if self.global_step == 1:
            raise KeyboardInterrupt
        return original(self, batch, batch_index)

    monkeypatch.setattr(ReferringSegmentation, "training_step", interrupt)
    words = ["fit", "--config", "rmi.yaml", *TINY]
    assert main([*words, "--output", str(tmp_path)]) == 130, "as shells have it"
    saved = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(saved, weights_only=True)["global_step"] == 1
    assert f"--ckpt_path {saved}" in capsys.readouterr().out
    command = (tmp_path / "RESUME.txt").read_text().splitlines()[-1]
    assert command.endswith(f"--ckpt_path {saved}")
    monkeypatch.undo()
    assert main(shlex.split(command)[4:]) == 0, "after `cd FOLDER && refseg`"
    assert json.loads((tmp_path / "metrics.json").read_text())["steps"] == 3
    assert not (tmp_path / "RESUME.txt").exists(), "it is finished"


def test_the_last_state_is_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first of three epochs is the best, and the third the last."""
    from refseg.training.module import ReferringSegmentation

    def log_worse_figures(self: ReferringSegmentation, *_: object) -> None:
        self.log("val/overall_iou", 1 / self.global_step)

    monkeypatch.setattr(ReferringSegmentation, "_log_figures", log_worse_figures)
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--trainer.max_epochs=3"]) == 0
    best, last = (
        torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)["global_step"]
        for name in ("best", "last")
    )
    assert (best, last) == (3, 9)
    assert "how to go on from it stands in" in capsys.readouterr().out


def test_nothing_to_go_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--ckpt_path=last"]
    assert main([*words, "--output", str(tmp_path / "new")]) == 2
    assert f"in {tmp_path / 'new'}, found no checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert main(words) == 2
    assert "--output" in capsys.readouterr().err
    assert main(["test", "--config", "rmi.yaml", *TINY, "--ckpt_path=last"]) == 2
    assert "found none at last" in capsys.readouterr().err


def test_a_job_that_slurm_queues_again_goes_on(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the same command: Lightning saved it when SLURM gave notice, and asked for that."""
    shutil.copy(run / "config.yaml", tmp_path)
    shutil.copy(run / "checkpoints" / "last.ckpt", tmp_path / "hpc_ckpt_1.ckpt")
    for name, value in (("JOB_ID", "7"), ("NTASKS", "1"), ("PROCID", "0"), ("LOCALID", "0")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_NODEID", "0")
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--trainer.max_epochs=2"]) == 0
    assert "The schedule has 6 steps now, and had 3." in capsys.readouterr().out
    assert json.loads((tmp_path / "metrics.json").read_text())["steps"] == 6


def test_going_on_with_other_settings_is_told_and_done(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = str(run / "checkpoints" / "last.ckpt")
    words = ["fit", "--config", str(run / "config.yaml"), "--output", str(tmp_path / "on")]
    words += ["--ckpt_path", last, "--trainer.max_epochs=2"]
    assert main([*words, "--data.image_size=32"]) == 2
    assert "data.image_size is 48 there and 32 here" in capsys.readouterr().err
    words += ["--model.optimizer.lr=0.001", "--model.optimizer.weight_decay=0.5"]
    assert main([*words, "--model.loss=DiceLoss"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for change in ("model.optimizer.lr 0.01 -> 0.001", "weight_decay 0.02 -> 0.5", "DiceLoss("):
        assert change in shown
    assert "The schedule has 6 steps now, and had 3." in shown
    end = torch.load(tmp_path / "on" / "checkpoints" / "last.ckpt", weights_only=True)
    (group,) = end["optimizer_states"][0]["param_groups"]
    assert (group["initial_lr"], group["weight_decay"]) == (0.001, 0.5)
    assert end["lr_schedulers"][0]["base_lrs"] == [0.001]
    assert end["hyper_parameters"]["optimizer"]["init_args"]["lr"] == 0.001
    assert end["global_step"] == 6


def test_training_without_evaluation_leaves_a_checkpoint(tmp_path: Path) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--trainer.limit_val_batches=0"]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"] == {}
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] > 0


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--model.optimizer.lr=1e30", "--trainer.gradient_clip_val=null"]) == 2
    shown = capsys.readouterr()
    assert "The loss is nan at step" in shown.err
    assert ".jpg [" in shown.err
    assert "Traceback" not in shown.err
    assert "no state was saved" in shown.out


def test_after_such_a_loss_no_one_is_told_to_go_on_with_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would come to the same step. The last good state stays, and goes on with another rate."""
    from refseg.losses import WeightedSum
    from refseg.training import LastCheckpoint

    loss, count = WeightedSum.forward, 0

    def diverge(self: WeightedSum, *arguments: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return loss(self, *arguments) * (float("nan") if count == 3 else 1)

    monkeypatch.setattr(LastCheckpoint, "_is_due", lambda self: True)
    monkeypatch.setattr(WeightedSum, "forward", diverge)
    assert main(["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]) == 2
    shown = capsys.readouterr().out
    assert "the last good state, after step 2, is in" in shown
    remark, command = (tmp_path / "RESUME.txt").read_text().splitlines()
    assert "The same settings lead to step 2 again, which failed" in remark
    assert command in shown
    assert command.endswith("--model.optimizer.lr=0.001")
    assert main(shlex.split(command)[4:]) == 0, "after `cd FOLDER && refseg`"
    assert "model.optimizer.lr 0.01 -> 0.001" in capsys.readouterr().out
