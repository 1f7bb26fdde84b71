"""`refseg bench startup`."""

import json
from pathlib import Path

import pytest

import refseg.benchmarks.startup
from refseg.__main__ import main
from refseg.benchmarks.startup import Command, commands


def test_what_is_measured(tmp_path: Path) -> None:
    without = commands(tmp_path, None)
    names = [command.name for command in without]
    assert "refseg --help" in names
    assert all(command.beside is None or command.beside in names for command in without)
    *_, last = commands(tmp_path, tmp_path / "best.ckpt")
    assert last.name.startswith("refseg segment")
    assert (tmp_path / "photo.png").is_file()


def test_a_row_for_each_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [Command("one", ["-c", "0"]), Command("two", ["-c", "1"], beside="one")]
    monkeypatch.setattr(refseg.benchmarks.startup, "commands", lambda folder, checkpoint: quick)
    path = tmp_path / "figures.json"
    assert main(["bench", "startup", "--rounds", "1", "--json", str(path)]) == 0
    one, two = json.loads(path.read_text())["commands"]
    assert one["ratio"] is None
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2", "two", f"{two['seconds']['median']:.2f}"] in [line[:3] for line in lines]


@pytest.mark.slow
def test_all_of_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = str(run / "checkpoints" / "best.ckpt")
    assert main(["bench", "startup", "--rounds", "1", "--checkpoint", best]) == 0
    assert "refseg segment" in capsys.readouterr().out
