"""The processes of a distributed run: they end together, and one message says which one failed."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from refseg.cli.system_errors import explain_system_error
from refseg.errors import RefsegError, TrainingError
from refseg.training.signals import STOP_SIGNALS

_FIRST = "REFSEG_FIRST_PROCESS"  # its id, for the processes that it starts
TOLD = 2
"""The exit code of a process that has said what went wrong."""
_POLL_SECONDS = 0.2
# For the others to fail in their own way, so that it is known who was the first.
_PATIENCE = 3.0
# For a process to come out of an exchange with one that has died, and to end by itself.
_GRACE = 30.0
_LOST = re.compile(
    r"gloo|nccl|connection (was likely )?(closed|reset|refused)|broken pipe|socket ?timeout|"
    r"process group|TCPStore",
    re.IGNORECASE,
)


class WatchedLauncher(_SubprocessScriptLauncher):
    """Starts the other processes of this machine as Lightning does, and watches over them.

    Lightning kills this process without a word, and in the middle of saving, when another one has
    died. Here it has time to save, and to say which one it was.

    Args:
        launcher: of Lightning, which has not started anything yet.
    """

    def __init__(self, launcher: _SubprocessScriptLauncher) -> None:
        super().__init__(launcher.cluster_environment, launcher.num_processes, launcher.num_nodes)
        self.others: list[subprocess.Popen[bytes]] = []
        self.is_over = threading.Event()
        self.end_of_run: BaseException | None = None

    def _call_children_scripts(self) -> None:
        os.environ[_FIRST] = str(os.getpid())
        try:
            super()._call_children_scripts()
        finally:
            # Lightning's own watch finds nothing to do.
            self.others, self.procs = [*self.others, *self.procs], []
            del os.environ[_FIRST]
        threading.Thread(target=self._watch, daemon=True).start()

    def kill(self, signum: int) -> None:
        """Send a signal to all processes that were started."""
        for process in self.others:
            process.send_signal(signum)

    def failure(self, patience: float = 0.0) -> BaseException | None:
        """The end of this run, if another process has failed; None where none has.

        It is without a message if the other one has left its own.

        Args:
            patience: seconds to wait for one to fail.
        """
        deadline = time.monotonic() + patience
        while True:
            for rank, process in enumerate(self.others, start=1):
                if code := process.poll():
                    if code == TOLD:
                        return SystemExit(code)
                    count = len(self.others) + 1
                    return TrainingError(_how_it_ended(rank, count, process.pid, code))
            if time.monotonic() >= deadline or not self.others:
                return None
            time.sleep(_POLL_SECONDS)

    def give_up(self, error: Exception) -> BaseException:
        """End the others after an error in this process, and say what the run has failed of.

        Args:
            error: which may be of losing the connection to a process that has failed before.
        """
        if self.end_of_run is None:
            failure = self.failure(_PATIENCE if _is_lost_connection(error) else 0.0)
            self.end_of_run = error if failure is None else failure
            self.is_over.set()
            self.kill(signal.SIGKILL)
        return self.end_of_run

    def end(self, patience: float = 0.0) -> None:
        """End all processes that were started.

        Args:
            patience: seconds for them to end by themselves.
        """
        self.is_over.set()
        deadline = time.monotonic() + patience
        for process in self.others:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _watch(self) -> None:
        """End this process where it waits for one that has died, for longer than is good."""
        while not self.is_over.wait(_POLL_SECONDS):
            if self.failure() is not None:
                break
        if not self.is_over.wait(_GRACE) and not _is_asked_to_end():
            if isinstance(failure := self.failure(), TrainingError):
                print(f"refseg: error: {failure}", file=sys.stderr, flush=True)
            self.kill(signal.SIGKILL)
            os._exit(TOLD)


class EndTogether(Callback):
    """Ends the other processes of a distributed run, or this one, before anything waits for them.

    What else is done on errors, such as saving, may wait for all processes, and these may wait for
    this one in another place.
    """

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the others if this is the first process, else this one."""
        if not isinstance(exception, Exception) or _is_asked_to_end():
            return
        if _first_process() is not None:
            _end_other(exception)
        launcher = trainer.strategy.launcher
        if isinstance(launcher, WatchedLauncher):
            launcher.give_up(exception)


@contextmanager
def ending_together(trainer: Trainer) -> Iterator[None]:
    """While it is entered, all processes of a trainer on this machine end when one has failed.

    Processes that Lightning starts are watched; those of `torchrun` and of clusters are theirs.

    Args:
        trainer: which has not started anything yet.

    Raises:
        TrainingError: another process has failed.
    """
    launcher = trainer.strategy.launcher
    if type(launcher) is _SubprocessScriptLauncher:
        launcher = trainer.strategy._launcher = WatchedLauncher(launcher)
    first = _first_process()
    if first is not None:
        threading.Thread(target=_watch_first, args=(first,), daemon=True).start()
    try:
        yield
        if isinstance(launcher, WatchedLauncher):
            launcher.end(_GRACE)
            if failure := launcher.failure():
                raise failure
    except Exception as error:
        if _is_asked_to_end():  # all of them, and one was faster
            raise
        if first is not None:
            _end_other(error)
        if isinstance(launcher, WatchedLauncher):
            end_of_run = launcher.give_up(error)
            if end_of_run is not error:
                raise end_of_run from error
        raise
    finally:
        if isinstance(launcher, WatchedLauncher):
            launcher.end(_PATIENCE if _is_asked_to_end() else 0.0)


def _is_asked_to_end() -> bool:
    """Whether a signal has asked for the end: then they end one by one, and none has failed."""
    return STOP_SIGNALS.request is not None


def _first_process() -> int | None:
    """The process that has started this one as a part of its run; None where there is none."""
    first = os.environ.get(_FIRST)
    return None if first is None else int(first)


def _watch_first(first: int) -> None:
    """End this process when the first one is gone, in the middle of whatever it waits for."""
    while os.getppid() == first:
        time.sleep(_POLL_SECONDS)
    time.sleep(_PATIENCE)
    _tell_of_first(first)


def _tell_of_first(first: int) -> NoReturn:
    if os.environ.get("LOCAL_RANK") == "1":  # one message
        count = os.environ.get("WORLD_SIZE", "several")
        print(
            f"refseg: error: Process 0 of {count} of this run (process {first}) has died; the "
            "others have been ended.",
            file=sys.stderr,
            flush=True,
        )
    os._exit(TOLD)


def _end_other(error: Exception) -> NoReturn:
    """End a process that is not the first, with a message only if the others know of no failure."""
    first = _first_process()
    assert first is not None
    deadline = time.monotonic() + (_GRACE if _is_lost_connection(error) else _PATIENCE)
    while time.monotonic() < deadline:  # the first one, if it has failed in the same way, ends us
        if os.getppid() != first:
            _tell_of_first(first)
        time.sleep(_POLL_SECONDS)
    message = str(error) if isinstance(error, RefsegError) else explain_system_error(error)
    if message is None:
        traceback.print_exception(error)
    else:
        rank = os.environ.get("LOCAL_RANK", "?")
        print(f"refseg: error: In process {rank}: {message}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(TOLD)


def _is_lost_connection(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))


def _how_it_ended(rank: int, count: int, pid: int, code: int) -> str:
    who = f"Process {rank} of {count} of this run (process {pid})"
    if code > 0:
        return f"{who} ended with exit code {code}. The others have been ended."
    name = signal.Signals(-code).name
    cause = ", as when memory runs out" if name == "SIGKILL" else ""
    return f"{who} was killed ({name}){cause}. The others have been ended."
