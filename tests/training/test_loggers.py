"""W&B without an account."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refseg.__main__ import main
from refseg.cli.trainer.command_line import log_to_sweep
from refseg.evaluation.results import RESULTS_SCHEMA, read_results
from refseg.training.callbacks.layers import layered
from refseg.training.loggers import WeightsAndBiases, expression_table, why_offline
from refseg.visualization import Example

from ..conftest import TINY
from .wandb_file import read_finished


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody has logged in to W&B."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def test_without_an_account_it_is_offline(no_account: None) -> None:
    assert "no account" in str(why_offline())


def test_without_an_answer_it_is_offline(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert "127.0.0.1 does not answer" in str(why_offline())


@pytest.mark.parametrize(("mode", "online"), [("online", True), ("offline", False)])
def test_what_the_user_wants_counts(
    mode: str, online: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    assert (why_offline() is None) == online


def test_a_login_is_found_in_netrc(
    no_account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret")
    assert "does not answer" in str(why_offline())


def test_what_is_logged_is_in_the_file_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = WeightsAndBiases(name="rmi-seed0", group="rmi", save_dir=str(tmp_path))
    logger.log_config({"model": {"hidden_dim": 8}})
    logger.log_hyperparams({"hidden_dim": 8})  # as Lightning does, of what the config has
    for step, (iou, loss) in enumerate([(0.1, 3.0), (0.5, 1.0), (0.3, 2.0)]):
        figures = {"val/overall_iou": iou, "val/precision@0.5": iou, "val/loss": loss}
        logger.log_metrics({**figures, "train/loss": loss}, step)
    mask = np.ones((30, 40), dtype=bool)
    example = Example(np.zeros((30, 40, 3), np.uint8), "the sky", mask, ~mask, iou=0.0)
    logger.log_image("val/examples", step=2, **layered([example]))
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    figures = {"metrics": {"val": {"overall_iou": 0.5, "gIoU": math.nan}}, "steps": 2}
    logger.log_end({"checkpoint": checkpoint}, figures)
    logger.close()
    logged = read_finished(next((tmp_path / "wandb").rglob("*.wandb")))
    assert (logged.name, logged.group) == ("rmi-seed0", "rmi")
    assert {key for key in logged.config if key != "_wandb"} == {"model"}
    assert logged.summary["val/overall_iou"] == {"max": 0.5, "last": 0.3}
    assert logged.summary["val/precision@0.5"] == {"max": 0.5, "last": 0.3}
    assert logged.summary["val/loss"] == {"min": 1.0, "last": 2.0}
    assert logged.summary["train/loss"] == 2.0
    (row,) = (row for row in logged.history if "val/examples/captions" in row)
    assert row["val/examples/captions"] == ["the sky (IoU 0.00)"]
    assert row["val/examples/all_masks"][0].keys() == {"prediction", "truth"}
    assert logged.artifacts[f"model-{logger.version}"] == {
        "type": "model",
        "aliases": ["best", "latest"],
        "metadata": {"val/overall_iou": 0.5, "steps": 2},
        "files": {"model.ckpt": len(b"weights")},
    }


@pytest.mark.slow
def test_a_run_logs_offline_and_says_so_in_one_line(
    no_account: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--trainer.logger", "logger/wandb.yaml"]
    assert main([*words, "--trainer.log_every_n_steps=1", "--output", str(tmp_path)]) == 0
    shown = "".join(capfd.readouterr())
    assert "anonymous" not in shown  # a warning of W&B, about an option that Lightning names
    assert sum("W&B offline: no account" in line for line in shown.splitlines()) == 1
    (offline,) = (tmp_path / "wandb").glob("offline-run-*")
    logged = read_finished(next(offline.glob("*.wandb")))
    assert logged.name == "rmi-MultimodalLSTM-seed0"
    assert logged.config["model"]["fusion"]["class_path"].endswith("MultimodalLSTM")
    assert "vocab_size" not in logged.config  # Lightning's own record, of the same arguments again
    assert logged.group == "rmi-MultimodalLSTM"
    assert {"train/loss", "val/loss", "lr-AdamW", "val/words/filenames"} <= logged.names
    assert logged.summary["val/precision@0.5"].keys() == {"max", "last"}
    assert logged.summary["val/loss"].keys() == {"min", "last"}
    (examples,) = (row for row in logged.history if "val/examples/count" in row)
    assert examples["val/examples/count"] == 4
    assert all({"prediction", "truth"} == {*masks} for masks in examples["val/examples/all_masks"])
    pictures = [offline / "files" / path for path in logged.files if "/images/" in path]
    assert sum(path.stat().st_size for path in pictures) < 500_000  # uploaded at each validation
    (at_end,) = (row for row in logged.history if "val/expressions/path" in row)
    table = json.loads((offline / "files" / at_end["val/expressions/path"]).read_text())
    rows = read_results(tmp_path).table
    assert table["columns"][:5] == ["sentence", "IoU", "words", "size", "distractors"]
    assert [row[0] for row in table["data"]] == rows["expression"].to_pylist()
    assert [row[1] for row in table["data"]] == pytest.approx(rows["iou"].to_pylist(), abs=5e-5)
    (model,) = (each for each in logged.artifacts.values() if each["type"] == "model")
    assert {*model["aliases"]} == {"best", "latest"}
    size = (tmp_path / "checkpoints" / "best.ckpt").stat().st_size
    assert model["files"] == {"model.ckpt": size}
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert model["metadata"]["val/overall_iou"] == figures["metrics"]["val"]["overall_iou"]
    assert model["metadata"]["steps"] == 3


def test_a_table_has_at_most_the_rows_that_are_shown(tmp_path: Path) -> None:
    count = 25_001
    numbers = pa.array(range(count), pa.int64())
    values = {"expression_id": numbers, "expression": numbers.cast(pa.string())}
    values |= {"iou": pa.array([1 / 3] * count), "distractors": pa.nulls(count, pa.int32())}
    rows = {name: values.get(name, numbers) for name in RESULTS_SCHEMA.names}
    pq.write_table(pa.table(rows), tmp_path / "results.parquet")
    columns, table = expression_table(tmp_path / "results.parquet")
    assert len(table) == 10_000
    assert (table[0][0], table[-1][0]) == ("0", str(count - 1))
    assert table[7][columns.index("IoU")] == 0.3333
    assert table[7][columns.index("distractors")] is None


@pytest.mark.parametrize(("chosen", "expected"), [(None, False), (True, True)])
def test_a_sweep_uploads_no_checkpoints_unless_it_is_told_to(
    chosen: bool | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    uploaded: list[Path] = []
    monkeypatch.setattr(
        WeightsAndBiases, "_log_checkpoint", lambda self, path, results: uploaded.append(path)
    )
    logger = WeightsAndBiases(log_model=chosen)
    logger.log_end({"checkpoint": tmp_path / "best.ckpt"}, {})
    assert bool(uploaded) == expected


def test_disabled_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    words = ["fit", "--config", "rmi.yaml", *TINY, "--trainer.logger", "logger/wandb.yaml"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    shown = "".join(capfd.readouterr())
    assert "W&B is disabled" in shown
    assert "sync" not in shown
    assert (tmp_path / "metrics.json").is_file()
    assert not (tmp_path / "wandb").exists()


def test_under_a_wandb_agent_the_logger_is_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--config", "rmi.yaml"]
    assert log_to_sweep(words) == words
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    assert log_to_sweep(words)[-1] == "--trainer.logger=logger/wandb.yaml"
    part = "--trainer.logger.log_model=true"
    assert log_to_sweep([*words, part])[-2:] == ["--trainer.logger=logger/wandb.yaml", part]
    chosen = [*words, "--trainer.logger=false"]
    assert log_to_sweep(chosen) == chosen
