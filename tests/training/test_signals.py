"""What asks a training to end finds it saved, and the exit code says so."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from refseg.__main__ import main
from refseg.errors import Stopped
from refseg.training import LastCheckpoint
from refseg.training.module import ReferringSegmentation
from refseg.training.signals import STOP_SIGNALS, StopSignals

from ..conftest import TINY
from .toy import Toy, fit

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
]
ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (*ENDING, signal.SIGINT)]


def signalling(
    monkeypatch: pytest.MonkeyPatch, method: str, at: int, *numbers: int
) -> Callable[[], int]:
    """Signal to the toy when it runs a method for the `at`th time; tells how often it ran."""
    original = getattr(Toy, method)
    count = 0

    def run(self: Toy, *arguments: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            for number in numbers:
                signal.raise_signal(number)
        return original(self, *arguments)

    monkeypatch.setattr(Toy, method, run)
    return lambda: count


@pytest.mark.parametrize(
    ("number", "method", "at"),
    [
        *((number, "training_step", 3) for number in ENDING),
        (signal.SIGTERM, "training_step", 8),
        (signal.SIGTERM, "validation_step", 2),
    ],
)
def test_a_training_ends_where_it_can_go_on(
    number: int, method: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"accumulate_grad_batches": 2}
    whole = fit(tmp_path / "whole", LastCheckpoint(), **options)
    before = handlers()
    with monkeypatch.context() as patch:
        count = signalling(patch, method, at, number)
        with pytest.raises(Stopped) as caught, STOP_SIGNALS.obeyed():
            fit(tmp_path / "stopped", LastCheckpoint(), **options)
    assert caught.value.code == 128 + number
    assert handlers() == before
    assert count() in {at, at + 1}, "the step is finished, and no other one begun"
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "resumed", LastCheckpoint(), checkpoint=last, **options)
    assert resumed.seen == whole.seen[-len(resumed.seen) :]
    assert torch.equal(resumed.weights, whole.weights)


def test_repeated_signals_do_not_hurry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedulers send to a process and to its group; some programs pass Ctrl-C on."""
    with monkeypatch.context() as patch:
        signalling(patch, "training_step", 2, *[signal.SIGTERM] * 3, signal.SIGHUP, signal.SIGINT)
        with pytest.raises(Stopped) as caught, STOP_SIGNALS.obeyed():
            fit(tmp_path, LastCheckpoint())
    assert caught.value.code == 143
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2


def test_a_second_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("refseg.training.signals.time.monotonic", lambda: now)
    signals = StopSignals()
    signals.defer()
    try:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert signals.request == signal.SIGINT
        now += 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.answer(signal.SIGINT)
    finally:
        signals.obey()


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup` ignores SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    try:
        with signals.obeyed():
            signals.defer()
            signal.raise_signal(signal.SIGHUP)
            assert signals.request is None
            signals.obey()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_of_somebody_else_is_called_where_a_training_can_be_left() -> None:
    """As Lightning's for SLURM, which saves, has the job queued again, and lets it go on."""
    calls: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: calls.append(number))
    signals = StopSignals()
    try:
        with signals.obeyed():
            signals.defer()
            signal.raise_signal(signal.SIGUSR1)
            assert not calls
            assert signals.request is not None
            signals.answer(signals.request)
            assert calls == [signal.SIGUSR1]
            assert signals.request is None, "the training goes on"
            signals.obey()
            signal.raise_signal(signal.SIGUSR1)
            assert calls == [signal.SIGUSR1] * 2
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_errors_of_processes_that_ended_first_do_not_count() -> None:
    signals = StopSignals()

    def lose_a_worker() -> None:
        signals.defer()
        signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Terminated.")

    with pytest.raises(Stopped) as caught, signals.obeyed():
        lose_a_worker()
    assert caught.value.code == 143


def test_the_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = ReferringSegmentation.training_step

    def interrupt(self: ReferringSegmentation, *arguments: object) -> object:
        if self.global_step == 1:
            signal.raise_signal(signal.SIGUSR1)
        return original(self, *arguments)

    monkeypatch.setattr(ReferringSegmentation, "training_step", interrupt)
    assert main(["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]) == 138
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == "refseg: stopped by SIGUSR1"
    command = (tmp_path / "RESUME.txt").read_text().splitlines()[-1]
    assert f"Stopped at step 2; the state, after step 2, is in {tmp_path}" in shown.out
    assert command in shown.out
    monkeypatch.undo()
    assert main(shlex.split(command)[4:]) == 0, "after `cd FOLDER && refseg`"


def test_before_a_training_there_is_nothing_to_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("refseg.data.splits.prepare_shapes", interrupt)
    output = tmp_path / "run"
    assert main(["fit", "--config", "rmi.yaml", *TINY, "--output", str(output)]) == 143
    assert capsys.readouterr().err == "refseg: stopped by SIGTERM\n"
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_whole_group_of_processes_is_signalled_to(
    number: int, processes: int, tmp_path: Path
) -> None:
    """As by a terminal or a cluster: the workers of the data loaders, too."""
    words = [
        *("fit", "--config", "rmi.yaml", *TINY, "--data.num_workers=2", "--output", str(tmp_path)),
        *("--trainer.max_epochs=500", "--trainer.check_val_every_n_epoch=7"),
        *([] if processes == 1 else ["--trainer.devices=2", "--trainer.strategy=ddp"]),
    ]
    command = [sys.executable, "-m", "refseg", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as run:
        try:
            resume = tmp_path / "RESUME.txt"
            for _ in range(1200):
                time.sleep(0.1)
                if resume.is_file() or run.poll() is not None:
                    break
            assert resume.is_file()
            started = psutil.Process(run.pid).children(recursive=True)
            if processes == 1:
                os.killpg(run.pid, number)
            else:
                run.send_signal(number)
            out, err = run.communicate(timeout=60)
        finally:
            os.killpg(run.pid, signal.SIGKILL) if run.poll() is None else None
    assert run.returncode == 128 + number, err
    assert "Traceback" not in err
    assert resume.read_text().splitlines()[-1] in out
    alive = [process for process in started if process.is_running()]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)
    step = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert f"the state, after step {step}, is in" in out
