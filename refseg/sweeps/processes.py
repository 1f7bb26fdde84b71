"""A run's process: started apart from the terminal, watched through its log, stopped for good."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from refseg.errors import ConfigError
from refseg.sweeps.command import on_this_machine
from refseg.sweeps.interruption import Interruption
from refseg.sweeps.runs import Run
from refseg.sweeps.survivors import Survivor, lock_for, note_process

# What a stopped run gets after each request before the next, harsher one: to close its logger and
# workers, then to die. Seconds.
PATIENCE = {"SIGINT": 20.0, "SIGTERM": 5.0}


class RunningRun:
    """The process of a run.

    It leads a process group of its own: Ctrl-C reaches the sweep only, which then stops the run and
    all that the run has started (workers of data loaders, say). A sweep that is killed cannot stop
    it: it works on, holds a lock on its folder, and is a `Survivor` for the next sweep.

    Args:
        run: what to run. It goes on where it can; else its folder is made anew.

    Raises:
        ConfigError: the command names a program that cannot be started.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started = time.monotonic()
        going_on = run.prepare()
        words = [*on_this_machine(run.command), *run.more, "--output", str(run.folder), *going_on]
        with run.log.open("ab") as log, lock_for(run) as handles:
            try:
                self.process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,
                    pass_fds=handles,
                )
            except OSError as error:
                raise ConfigError(f"Cannot start {words[0]}: {error.strerror}.") from error
        note_process(run, self.process.pid)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def poll(self) -> int | None:
        """The exit code; None while it is at work."""
        return self.process.poll()

    def wait(self) -> None:
        """Wait for its end."""
        self.process.wait()

    def signal(self, name: str) -> None:
        """Send a signal to the run and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, getattr(signal, name))
            else:
                self.process.terminate()


def stop(running: Sequence[RunningRun | Survivor], interruption: Interruption) -> None:
    """End processes: ask as Ctrl-C does, then insist, then kill; at once after another Ctrl-C.

    Args:
        running: the processes, which may have ended already.
        interruption: counts the times that the user has asked.
    """
    running = [run for run in running if run.pid is not None]  # else it is out of reach
    asked = interruption.count
    for name, patience in PATIENCE.items():
        deadline = time.monotonic() + patience
        if interruption.count > asked:
            break
        for run in running:
            if run.poll() is None:
                run.signal(name)
        while time.monotonic() < deadline and interruption.count == asked:
            if all(run.poll() is not None for run in running):
                break
            interruption.sleep(0.05)
    for run in running:  # also what an ended process has left behind in its group
        run.signal("SIGKILL")
        run.wait()


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log that say something, without colours and overwritten progress bars.

    Args:
        log: the file; missing is like empty.
        count: how many lines at most.
    """
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65_536))
        text = file.read().decode("utf-8", errors="replace")
    lines = [
        Text.from_ansi(line.rstrip("\r").rpartition("\r")[2]).plain.rstrip()
        for line in text.split("\n")
    ]
    return [line for line in lines if line.strip()][-count:]
