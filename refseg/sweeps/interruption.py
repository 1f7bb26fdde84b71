"""Ctrl-C as a fact to be asked for, instead of an exception at any line."""

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interruption:
    """Collects Ctrl-C (and requests to terminate) while it is entered.

    An exception could fly between the start of a process and the note that it was started, and so
    leave it behind; a count that is asked for between steps cannot.

    Example:
        >>> with Interruption() as interruption:
        ...     signal.raise_signal(signal.SIGINT)
        ...     interruption.count
        1
    """

    def __init__(self) -> None:
        self.count = 0
        self._arrived = threading.Event()
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Take over the signals; one that is ignored (`nohup`) stays so."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the signals back."""
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not over a signal."""
        if self._arrived.wait(seconds):
            self._arrived.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self._arrived.set()
