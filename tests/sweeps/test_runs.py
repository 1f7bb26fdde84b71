"""Which runs go on where they were stopped, and which start anew."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from refseg.sweeps import Run, Sweep, plan

GRID = Sweep(Path("s.yaml"), "s", "refseg", ("${program}", "fit", "${args}"), {"lr": (1, 2)})


def planned(folder: Path, origin: str = "1.0 abc", sweep: Sweep = GRID) -> Run:
    def told(command: Sequence[str]) -> str:
        assert command[:2] == ("refseg", "fit") or sweep is not GRID
        return origin

    return plan(sweep, folder, origin=told)[0]


@pytest.fixture
def stopped(tmp_path: Path) -> Run:
    """A run that was stopped after it had saved its last state."""
    run = planned(tmp_path)
    assert run.prepare() == ()
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints" / "last.ckpt").touch()
    (run.folder / "RESUME.txt").touch()
    return run


def test_what_was_stopped_goes_on(stopped: Run, tmp_path: Path) -> None:
    run = planned(tmp_path)
    assert run.can_go_on()
    assert run.prepare() == ("--ckpt_path", "last")
    assert (run.folder / "checkpoints" / "last.ckpt").exists()


def test_stages_go_on_with_the_same_command(stopped: Run, tmp_path: Path) -> None:
    (stopped.folder / "checkpoints" / "last.ckpt").unlink()
    (stopped.folder / "checkpoints").rmdir()
    (stopped.folder / "low").mkdir()
    assert planned(tmp_path).prepare() == ()
    assert (stopped.folder / "low").exists()


@pytest.mark.parametrize("origin", ["1.1 abc", "1.0 xyz", ""])
def test_another_version_or_config_starts_anew(stopped: Run, tmp_path: Path, origin: str) -> None:
    run = planned(tmp_path, origin)
    assert run.folder == stopped.folder
    assert not run.can_go_on()
    assert run.prepare() == ()
    assert not (run.folder / "checkpoints").exists()
    assert json.loads((run.folder / "run.json").read_text()).get("origin", "") == origin


def test_what_failed_by_itself_starts_anew(stopped: Run, tmp_path: Path) -> None:
    stopped.note_failure("exit code 1")
    assert planned(tmp_path).prepare() == ()
    assert sorted(path.name for path in stopped.folder.iterdir()) == ["run.json"]


def test_what_has_saved_no_state_starts_anew(stopped: Run, tmp_path: Path) -> None:
    (stopped.folder / "RESUME.txt").unlink()
    assert planned(tmp_path).prepare() == ()
    assert not (stopped.folder / "checkpoints").exists()


def test_another_program_starts_anew(tmp_path: Path) -> None:
    own = Sweep(Path("s.yaml"), "s", "own.py", ("${program}", "${args}"), {"lr": (1, 2)})
    run = planned(tmp_path, sweep=own)
    run.prepare()
    (run.folder / "RESUME.txt").touch()
    assert not planned(tmp_path, sweep=own).can_go_on()
