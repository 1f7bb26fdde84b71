"""Runs that are still at work when the sweep that started them has died."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from refseg.files import is_locked, write_text
from refseg.sweeps.runs import LOCK_FILES, Run

SWEEP_LOCK = LOCK_FILES[0]
_PROCESS_FILE = ".process.json"


@contextmanager
def lock_for(run: Run) -> Iterator[tuple[int, ...]]:
    """A lock on the run's folder for a process to inherit, which holds it as long as it lives.

    The kernel takes it back when the process and those that it forked have ended, however they end,
    and whatever has become of the sweep.

    Args:
        run: whose folder is there.

    Returns:
        File descriptors to pass on; none on systems where a lock is not inherited.
    """
    if os.name != "posix":
        yield ()
        return
    import fcntl

    handle = os.open(run.folder / SWEEP_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield (handle,)
    finally:
        os.close(handle)


def note_process(run: Run, pid: int) -> None:
    """Write down which process the run is, for a later sweep that has to stop it.

    Args:
        run: that was started.
        pid: of its process, which leads a group.
    """
    with contextlib.suppress(OSError, psutil.Error):  # it may have ended already
        began = psutil.Process(pid).create_time()
        record = {"pid": pid, "began": began, "host": socket.gethostname()}
        write_text(run.folder / _PROCESS_FILE, json.dumps(record))


def is_running(run: Run) -> bool:
    """Whether a process is at work on a run: one of a sweep that has died, or one of the user."""
    return any(is_locked(run.folder / name) for name in LOCK_FILES)


class Survivor:
    """A run that a sweep started before it died: watched to its end instead of being started anew.

    Args:
        run: whose process is at work.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._process = _process_of(run.folder)
        self._began = time.time() if self._process is None else self._process.create_time()

    @property
    def pid(self) -> int | None:
        """Of the process; None where it is not known, or another machine's."""
        return None if self._process is None else self._process.pid

    @property
    def seconds(self) -> float:
        """Time since the start, as far as it is known."""
        return time.time() - self._began

    def poll(self) -> int | None:
        """None while it is at work, then 0: its exit code was for the sweep that has died."""
        return None if is_running(self.run) else 0

    def signal(self, name: str) -> None:
        """Send a signal to the run and all that it has started, where it is on this machine."""
        if self._process is not None and self.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, getattr(signal, name))

    def wait(self) -> None:
        """Wait for its end, if its process is known and was told to end."""
        while self._process is not None and self._process.is_running():
            if self._process.status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.02)


def _process_of(folder: Path) -> psutil.Process | None:
    """The process that the sweep had started, and no later one with the same number."""
    try:
        record = json.loads((folder / _PROCESS_FILE).read_text(encoding="utf-8"))
        process = psutil.Process(int(record["pid"]))
        is_it = process.create_time() == record["began"]
        return process if is_it and record["host"] == socket.gethostname() else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
