"""From what a run goes on, and how it says so."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from refseg.errors import ConfigError
from refseg.training.going_on import ResumeFile, last_checkpoint, newest_checkpoint


def write(path: Path, step: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"global_step": step}, path)
    return path


def test_the_newest_is_the_one_with_most_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert newest_checkpoint(tmp_path) is None
    last = write(tmp_path / "checkpoints" / "last.ckpt", 5)
    best = write(tmp_path / "checkpoints" / "best.ckpt", 5)
    assert newest_checkpoint(tmp_path) == last
    interrupted = write(tmp_path / "checkpoints" / "interrupted.ckpt", 7)
    write(tmp_path / "checkpoints" / "last.ckpt", 6)
    assert newest_checkpoint(tmp_path) == interrupted, "of an earlier version"
    write(best, 8)
    assert newest_checkpoint(tmp_path) == best
    assert newest_checkpoint(tmp_path) == last_checkpoint(str(tmp_path))
    best.write_bytes(best.read_bytes()[:100])
    assert newest_checkpoint(tmp_path) == interrupted
    assert f"Passing over {best}" in capsys.readouterr().out


def test_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"in {tmp_path}, found no checkpoint"):
        last_checkpoint(str(tmp_path))
    with pytest.raises(ConfigError, match="--output"):
        last_checkpoint(None)


def test_the_command_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by a shell, in a folder and with names that need quotes."""
    folder = tmp_path / "it's a run; $HOME"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("refseg.training.going_on.shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "executable", "printf")
    resume = ResumeFile(folder)
    resume.write(folder / "last.ckpt", 12)
    first, command = resume.path.read_text().splitlines()
    assert first.startswith("# The state after step 12 is in ")
    command = command.replace("printf -m refseg", "pwd; printf '%s\\n'")
    shown = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout.splitlines()
    assert shown == [
        *(str(folder), "fit", "--config", f"{folder}/config.yaml", "--output", str(folder)),
        *("--ckpt_path", f"{folder}/last.ckpt"),
    ]
    resume.remove()
    resume.remove()
    assert not resume.path.exists()


def test_a_command_of_several_stages_goes_before(tmp_path: Path) -> None:
    resume = ResumeFile(tmp_path, shlex.join(["refseg", "fit", "all stages"]))
    resume.write(tmp_path / "last.ckpt", 1)
    assert resume.path.read_text().splitlines()[1] == "refseg fit 'all stages'"
