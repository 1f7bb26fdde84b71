"""One run, one folder: what is at work in one, or lies there, is not overwritten."""

import hashlib
import json
import logging
import multiprocessing
import os
import shlex
import shutil
import socket
import subprocess
import time
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from refseg.__main__ import main
from refseg.errors import ConfigError
from refseg.files import is_locked
from refseg.training.run_folder import RunFolder
from refseg.training.run_lock import LOCK_FILE, OWNER_FILE, check_vacant, locked

from ..conftest import TINY

FIT = ["fit", "--config", "rmi.yaml", *TINY]

FORK = multiprocessing.get_context("fork")


def _hold(folder: Path, worker_seconds: float, held: Event) -> None:
    """Take the lock, start a process that lives on, as workers of a data loader do, and wait."""
    with locked(folder, "fit"):
        if os.fork() == 0:
            time.sleep(worker_seconds)
            os._exit(0)
        held.set()
        time.sleep(60)


def hold(folder: Path, worker_seconds: float = 0.0) -> ForkProcess:
    held = FORK.Event()
    process = FORK.Process(target=_hold, args=(folder, worker_seconds, held), daemon=True)
    process.start()
    assert held.wait(20)
    return process


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    message = capsys.readouterr().err
    assert message.count("refseg: error:") == 1
    assert "Traceback" not in message
    return message


def words_of(command: str) -> list[str]:
    """What follows `refseg` in a command for any folder."""
    change, program = command.split(" && ")
    assert change == f"cd {Path.cwd()}"
    return shlex.split(program)[shlex.split(program).index("fit") :]


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A finished run, to do with what one likes."""
    folder = tmp_path / "a run"
    shutil.copytree(run, folder)
    return folder


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    assert not is_locked(folder / LOCK_FILE)
    holder = hold(folder)
    try:
        assert is_locked(folder / LOCK_FILE)
        told = rf"`refseg fit`, process {holder.pid} on {socket.gethostname()} since 2"
        with pytest.raises(ConfigError, match=told), locked(folder, "test"):
            pass
    finally:
        holder.kill()
        holder.join()
    assert not is_locked(folder / LOCK_FILE)
    with locked(folder, "test"):
        assert is_locked(folder / LOCK_FILE)
        assert json.loads((folder / OWNER_FILE).read_text())["pid"] == os.getpid()
    assert not list(folder.iterdir())
    shutil.rmtree(folder.parent)
    with locked(folder, "test"):
        pass
    assert not folder.parent.exists(), "made for the lock, and empty"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_a_killed_run_leaves_behind_for_a_while_is_waited_for(tmp_path: Path) -> None:
    """Older releases of filelock let a worker hold the lock until it finds its parent gone."""
    holder = hold(tmp_path, worker_seconds=1.0)
    inherited = os.open(tmp_path / ".run.lock", os.O_RDWR)
    holder.kill()
    holder.join()
    import fcntl

    fcntl.flock(inherited, fcntl.LOCK_EX)
    closer = subprocess.Popen(["sleep", "1"], pass_fds=[inherited])
    os.close(inherited)
    began = time.monotonic()
    with locked(tmp_path, "fit"):
        assert 0.2 < time.monotonic() - began < 10
    closer.wait()


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    left = [".metrics-a1b2c3d4.json", ".results-_x9zabcd.parquet", ".results_crf-1.arrow"]
    kept = ["metrics.json", ".metrics-mine.json", "results-0.arrow", ".hidden-a1b2c3d4.txt"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    with locked(tmp_path, "test"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_only_the_first_process_of_a_run_takes_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(tmp_path, "fit"):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with locked(tmp_path, "fit"):
            pass
        assert is_locked(tmp_path / LOCK_FILE)


def test_a_file_system_without_locks_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with caplog.at_level(logging.WARNING), locked(tmp_path, "fit"):
        pass
    assert "start one run in it only" in caplog.text


def test_no_two_runs_get_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = set()
    for _ in range(3):  # within a second or two
        RunFolder.forget()
        paths.add(RunFolder.choose("fit", None, None, "rmi").path)
    assert RunFolder.choose("fit", None, None, "rmi").path in paths, "the processes of a run share"
    RunFolder.forget()
    assert len(paths) == 3
    assert all(path.is_dir() for path in paths)


@pytest.mark.parametrize("verb", ["fit", "test", "predict"])
def test_nothing_starts_where_a_run_is_at_work(
    verb: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = FIT if verb == "fit" else [verb, "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    with locked(tmp_path, "fit"):
        before = content(tmp_path)
        message = complaint([*words, "--output", str(tmp_path)], capsys)
        assert content(tmp_path) == before
    assert f"in which works `refseg fit`, process {os.getpid()} on" in message
    assert "choose another --output" in message


def test_a_finished_run_is_not_overwritten_but_trained_on(
    copy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(copy)
    message = complaint([*FIT, "--output", str(copy)], capsys)
    assert content(copy) == before
    assert "holds a finished run" in message
    command = message.splitlines()[-1].strip().replace("MORE", "2")
    assert main(words_of(command)) == 0
    steps, twice = (json.loads((f / "metrics.json").read_text())["steps"] for f in (run, copy))
    assert twice == 2 * steps


def test_a_stopped_run_is_not_overwritten_but_gone_on_with(
    copy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "metrics.json").unlink()
    before = content(copy)
    message = complaint([*FIT, "--output", str(copy)], capsys)
    assert content(copy) == before
    assert "holds a run that was stopped" in message
    command = message.splitlines()[-1].strip()
    assert main(words_of(command)) == 0
    found, expected = (json.loads((f / "metrics.json").read_text()) for f in (copy, run))
    assert found["metrics"] == expected["metrics"]


def test_a_run_that_trains_on_is_not_finished(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from refseg.training.module import ReferringSegmentation

    def look(self: ReferringSegmentation, *_: object) -> None:
        assert not (copy / "metrics.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(ReferringSegmentation, "training_step", look)
    words = ["fit", "--config", str(copy / "config.yaml"), "--output", str(copy)]
    assert main([*words, "--ckpt_path", "last", "--trainer.max_epochs=2"]) == 130
    assert not (copy / "metrics.json").exists()


def test_starting_over_removes_what_the_run_left_and_nothing_else(
    copy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "notes.txt").write_text("mine")
    (copy / "checkpoints" / "interrupted.ckpt").write_bytes(b"of the old run")
    (copy / "test").mkdir(exist_ok=True)
    (copy / "test" / "summary.json").write_text("{}")
    before = content(copy)
    refused = [*FIT, "--output", str(copy), "--overwrite"]
    assert "optimizer refuses" in complaint([*refused, "--model.optimizer.lr=-1"], capsys)
    for path in set((copy / "logs").iterdir()) - {copy / name for name in before}:
        path.unlink()  # the logger begins before the optimizer is made
    own = str(copy / "checkpoints" / "best.ckpt")
    assert "would remove" in complaint([*refused, f"--data.vocabulary_from={own}"], capsys)
    assert "leave one of them out" in complaint([*refused, "--ckpt_path", own], capsys)
    assert content(copy) == before

    assert main([*FIT, "--output", str(copy), "--overwrite", "true"]) == 0
    assert f"Starting over in {copy}; removed: checkpoints, config.yaml" in capsys.readouterr().out
    assert (copy / "notes.txt").read_text() == "mine"
    assert not (copy / "checkpoints" / "interrupted.ckpt").exists()
    assert not (copy / "test").exists()
    assert len(list((copy / "logs").glob("events*"))) == 1
    first, second = (
        torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for folder in (run, copy)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "overwrite" not in (copy / "config.yaml").read_text(), "to go on with it is no new start"


def test_a_run_goes_on_with_its_own_state_only(
    copy: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(run / "checkpoints" / "best.ckpt")
    before = content(copy)
    message = complaint([*FIT, "--output", str(copy), "--ckpt_path", other], capsys)
    assert "which is not in that folder" in message
    assert content(copy) == before


def test_a_job_that_slurm_starts_again_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.yaml", "hpc_ckpt_1.ckpt"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="holds a run that was stopped"):
        check_vacant(tmp_path, "fit", None)
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    check_vacant(tmp_path, "fit", None)
    (tmp_path / "metrics.json").touch()
    with pytest.raises(ConfigError, match="holds a finished run"):
        check_vacant(tmp_path, "fit", None)


def test_an_evaluation_does_not_replace_the_figures_of_a_training(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(copy)
    checkpoint = str(copy / "checkpoints" / "best.ckpt")
    message = complaint(["test", "--ckpt_path", checkpoint, "--output", str(copy)], capsys)
    assert "leave --output out" in message
    assert content(copy) == before


def test_a_refused_config_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = [*FIT, "--data.root=nowhere", "--data.dataset=refcoco"]
    complaint(refused, capsys)
    complaint([*refused, "--output", "a/b"], capsys)
    assert not list(tmp_path.iterdir())
