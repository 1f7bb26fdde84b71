"""Two processes give the figures of one, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

import refseg
from refseg.cli.trainer import distributed
from refseg.cli.trainer.distributed import WatchedLauncher, ending_together
from refseg.errors import DataError, TrainingError

from ...conftest import TINY


@pytest.mark.slow
def test_two_processes_count_what_one_counts(run: Path, tmp_path: Path) -> None:
    """Evaluation splits the images over the processes, repeats one, and counts each once.

    The command is started as `pip` installs it, in a folder without anything of the project.
    """
    script = tmp_path / "bin" / "refseg"
    script.parent.mkdir()
    script.write_text("import sys\nfrom refseg.__main__ import main\nsys.exit(main())\n")
    words = [
        *("validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")),
        *("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"),
        *("--data.batch_size=3", "--output", str(tmp_path)),
    ]
    done = subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(refseg.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone = json.loads((run / "metrics.json").read_text())["metrics"]["val"]
    together = json.loads((tmp_path / "metrics.json").read_text())["metrics"]["val"]
    assert together == alone
    assert done.stdout.count("in %") == 1, "only one process shows the table"


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    words = [
        *("fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)),
        *("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=2"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    checkpoint = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 3  # 12 images, 2 processes with 2 images each
    assert json.loads((tmp_path / "metrics.json").read_text())["steps"] == 3


def process(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program])


@pytest.fixture
def launcher() -> Iterator[WatchedLauncher]:
    """One that has started two processes that work on."""
    watched = WatchedLauncher(_SubprocessScriptLauncher(LightningEnvironment(), 3, 1))
    watched.others = [process("import time; time.sleep(60)") for _ in range(2)]
    yield watched
    watched.end()
    assert all(other.poll() is not None for other in watched.others)


def trainer_with(launcher: _SubprocessScriptLauncher | None) -> Trainer:
    trainer = Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False)
    trainer.strategy._launcher = launcher
    return trainer


def test_the_first_one_that_failed_is_named(launcher: WatchedLauncher) -> None:
    assert launcher.failure() is None
    second = launcher.others[1]
    second.send_signal(signal.SIGKILL)
    second.wait()
    with pytest.raises(TrainingError) as caught, ending_together(trainer_with(launcher)):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")
    assert str(caught.value) == (
        f"Process 2 of 3 of this run (process {second.pid}) was killed (SIGKILL), as when memory "
        "runs out. The others have been ended."
    )
    assert launcher.others[0].wait() == -signal.SIGKILL


def test_an_error_of_this_process_stays_what_it_is(launcher: WatchedLauncher) -> None:
    with pytest.raises(DataError, match="absent"), ending_together(trainer_with(launcher)):
        raise DataError("cat.jpg is absent.")
    assert [other.wait() for other in launcher.others] == [-signal.SIGKILL] * 2


def test_one_that_has_told_is_not_told_of(launcher: WatchedLauncher) -> None:
    launcher.others.append(process("import sys; sys.exit(2)"))
    with pytest.raises(SystemExit) as caught, ending_together(trainer_with(launcher)):
        raise RuntimeError("NCCL communicator was aborted")
    assert caught.value.code == 2


def test_the_others_may_finish(launcher: WatchedLauncher, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher.end()
    launcher.others = [process("import time; time.sleep(0.5)")]
    with ending_together(trainer_with(launcher)):
        pass
    assert launcher.others[0].returncode == 0


def test_whoever_waits_for_a_dead_one_is_ended(
    launcher: WatchedLauncher, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(distributed, "_GRACE", 0.1)
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    launcher.others[0].send_signal(signal.SIGTERM)
    launcher._watch()
    assert ended.is_set()
    assert "was killed (SIGTERM)" in capfd.readouterr().err


def test_without_other_processes_nothing_changes() -> None:
    with pytest.raises(ValueError, match="x"), ending_together(trainer_with(None)):
        raise ValueError("x")


@pytest.fixture
def training(shapes_root: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Two processes that train for long, in their first steps."""
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path / "run")]
    words += ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=100000"]
    words += ["--trainer.check_val_every_n_epoch=100000"]
    command = [sys.executable, "-m", "refseg", *words]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (tmp_path / "run" / "config.yaml").exists():
        assert started.poll() is None, started.stderr
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield started
    started.kill()
    started.wait()


def other_of(first: int) -> int:
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()[1:]]
    (other,) = [int(pid) for pid, above, words in rows if int(above) == first and " fit " in words]
    return other


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["first", "other"])
def test_when_one_is_killed_all_end_with_one_message(
    victim: str, training: subprocess.Popen[str]
) -> None:
    other = other_of(training.pid)
    os.kill(training.pid if victim == "first" else other, signal.SIGKILL)
    _, message = training.communicate(timeout=120)  # until both have closed it
    number, killed = (0, training.pid) if victim == "first" else (1, other)
    assert message.count(f"Process {number} of 2 of this run (process {killed})") == 1
    assert message.count("refseg: error") == 1
    assert "Traceback" not in message
    assert training.returncode == (-signal.SIGKILL if victim == "first" else 2)


@pytest.mark.slow
def test_a_port_in_use_ends_all_with_one_message(shapes_root: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path / "run")]
    words += ["--trainer.devices=2", "--trainer.strategy=ddp"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "refseg", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env={**os.environ, "MASTER_PORT": port, "MASTER_ADDR": "127.0.0.1"},
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"refseg: error: Expected the port {port} for the processes")
    assert done.stderr.count("refseg: error") == 1
    assert not (tmp_path / "run").exists()
