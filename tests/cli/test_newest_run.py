"""A checkpoint need not be named: that of the newest finished run is taken."""

import json
import os
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.cli.newest_run import default_checkpoint, newest_checkpoint
from refseg.cli.trainer.command_line import naming_newest
from refseg.errors import ConfigError


def finish(folder: Path, time: int, checkpoint: Path | None = None) -> Path:
    """What `refseg fit` leaves in the folder of a run; the path of its checkpoint."""
    own = folder / "checkpoints" / "best.ckpt"
    own.parent.mkdir(parents=True)
    if checkpoint is None:
        own.touch()
    content = {"training_seconds": 1.0, "checkpoint": str(checkpoint or own)}
    (folder / "metrics.json").write_text(json.dumps(content))
    os.utime(folder / "metrics.json", (time, time))
    return checkpoint or own


def test_the_newest_run_of_all_is_taken(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert newest_checkpoint(runs) is None
    old = finish(runs / "old", 100)
    assert newest_checkpoint(runs) == old
    of_sweep = finish(runs / "sweeps" / "fusion" / "seed-0", 300)
    finish(runs / "middle", 200)
    assert newest_checkpoint(runs) == of_sweep
    of_stage = finish(runs / "lstm_cnn" / "high", 400)
    assert newest_checkpoint(runs) == of_stage


def test_what_is_no_finished_run_is_passed_over(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    wanted = finish(runs / "finished", 100)
    finish(runs / "removed", 200, tmp_path / "gone.ckpt")
    (runs / "running" / "checkpoints").mkdir(parents=True)
    (runs / "running" / "checkpoints" / "last.ckpt").touch()
    evaluation = runs / "finished" / "test" / "metrics.json"
    evaluation.parent.mkdir()
    evaluation.write_text(json.dumps({"checkpoint": str(tmp_path / "other.ckpt")}))
    (tmp_path / "other.ckpt").touch()
    for name, content in {"broken": '{"chec', "list": "[1]", "null": "null"}.items():
        (runs / name).mkdir()
        (runs / name / "metrics.json").write_text(content)
    assert newest_checkpoint(runs) == wanted


def test_a_folder_that_was_moved_is_that_of_its_own_checkpoint(tmp_path: Path) -> None:
    finish(tmp_path / "runs" / "before", 100)
    (tmp_path / "runs").rename(tmp_path / "moved")
    expected = tmp_path / "moved" / "before" / "checkpoints" / "best.ckpt"
    assert newest_checkpoint(tmp_path / "moved") == expected


def test_it_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = finish(tmp_path / "a", 1)
    assert default_checkpoint(tmp_path) == checkpoint
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"checkpoint of the newest finished run: {checkpoint}\n"
    with pytest.raises(ConfigError, match="no finished run") as caught:
        default_checkpoint(tmp_path / "none")
    assert "refseg fit --config rmi.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "words", ["--ckpt_path=a.ckpt", "--config b.yaml", "--help", "--print_config", "--data.help=X"]
)
def test_words_that_need_none_stay(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert naming_newest(words.split()) == words.split()
    with pytest.raises(ConfigError, match="no finished run"):
        naming_newest(["--crf"])


def test_the_verbs_take_it(
    run: Path,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["segment", str(photo), "star"], ["evaluate"], ["test"], ["predict"]):
        assert main(words) == 2
        assert "no finished run" in capsys.readouterr().err
    metrics = json.loads((run / "metrics.json").read_text())
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "metrics.json").write_text(json.dumps(metrics))
    line = f"checkpoint of the newest finished run: {metrics['checkpoint']}\n"
    capsys.readouterr()
    assert main(["segment", str(photo), "star", "--output", "masks"]) == 0
    assert capsys.readouterr().err.count(line) == 1
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
    assert main(["validate", "--output", "figures", *quiet]) == 0
    assert capsys.readouterr().err.count(line) == 1
    assert json.loads(Path("figures/metrics.json").read_text())["metrics"] == metrics["metrics"]
