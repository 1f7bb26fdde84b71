"""Signals that end a run: obeyed at once, and in a training where its state is whole."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from refseg.errors import RefsegError, Stopped

# What schedulers, terminals and clusters send before they kill.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
_SAME_KEY = 1.0  # seconds in which a second Ctrl-C is the first one, passed on by another program
_NOTICE = b"\nStopping after this step, to keep what it did. Ctrl-C again stops at once.\n"


class StopSignals:
    """What the process does when it is asked to end.

    While `obeyed` is entered, `Stopped` is raised wherever the program is: there is nothing to keep
    yet, or no longer. Between `defer` and `obey`, a request is only noted in `request`, Ctrl-C too,
    until somebody asks for it where a training can be left. A second Ctrl-C does not wait.

    Signals that are ignored (`nohup`) stay so, and those that another handler has been given (for
    SLURM, Lightning saves and has the job queued again) are passed on to it where a training can be
    left.
    """

    def __init__(self) -> None:
        self.request: int | None = None
        """The signal that asked to end; None without."""
        self._is_deferring = False
        self._first = 0.0
        self._process = os.getpid()
        self._former: dict[int, Any] = {}
        self._others: dict[int, Callable[[int, FrameType | None], Any]] = {}

    @contextmanager
    def obeyed(self) -> Iterator[None]:
        """End the program on a signal, by `Stopped`, which cleans up on its way.

        Elsewhere than in the main thread, Python does not let anyone handle signals.
        """
        former: dict[int, Any] = {}
        self._process = os.getpid()
        if _is_main_thread():
            for number in ENDING:
                is_slurms = number == getattr(signal, "SIGUSR1", None) and _is_slurm()
                if signal.getsignal(number) is signal.SIG_DFL and not is_slurms:
                    former[number] = signal.signal(number, self._handle)
        try:
            yield
        except Exception as error:
            if self.request is None or isinstance(error, RefsegError):
                raise
            raise Stopped(self.request) from error  # a process that ended before this one
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            if former:
                self._is_deferring, self.request = False, None

    def defer(self) -> None:
        """From now on note requests only."""
        self._process = os.getpid()
        self.request, self._is_deferring = None, True
        self._former, self._others = {}, {}
        if not _is_main_thread():
            return
        for number in (*ENDING, signal.SIGINT):
            handler = signal.getsignal(number)
            if handler is signal.SIG_IGN or handler is None:
                continue
            # Lightning's handler for SIGTERM tells the other processes at once, which would leave
            # them waiting for each other; they agree at the end of a step instead.
            is_default = handler in (signal.SIG_DFL, signal.default_int_handler, self._handle)
            if number == signal.SIGUSR1 and callable(handler) and not is_default:
                self._others[number] = handler
            self._former[number] = signal.signal(number, self._handle)

    def obey(self) -> None:
        """From now on end at once."""
        self._is_deferring = False
        for number, handler in self._former.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
        self._former = {}

    def answer(self, number: int, is_first_process: bool = True) -> None:
        """Do what a signal asks for, where a training can be left.

        Args:
            number: of the signal.
            is_first_process: of a distributed run, whose exit code counts. The others end as if
                nothing had happened: Lightning kills the first one when another one fails.

        Raises:
            KeyboardInterrupt: for Ctrl-C.
            Stopped: for other signals, unless somebody else has asked for this one.
        """
        self.request = None
        if number in self._others:
            self._others[number](number, None)
            return
        self.request = number
        if number == signal.SIGINT and is_first_process:
            raise KeyboardInterrupt
        raise Stopped(number, is_first_process)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a process that was forked from this one
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if not self._is_deferring:
            raise Stopped(number)
        now = time.monotonic()
        if number == signal.SIGINT and self.request == number and now > self._first + _SAME_KEY:
            raise KeyboardInterrupt
        if self.request is None:
            self.request, self._first = number, now
            if number == signal.SIGINT:
                os.write(2, _NOTICE)  # `print` might be what was interrupted


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_slurm() -> bool:
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    return SLURMEnvironment.detect()


STOP_SIGNALS = StopSignals()
"""Of this process."""
