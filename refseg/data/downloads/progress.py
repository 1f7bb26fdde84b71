"""Messages and progress bars of a download."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from refseg.progress import Pace, duration

Advance = Callable[[int], None]
"""Called with the bytes done so far."""


class Listener:
    """Prints to a terminal; where the output is no terminal, lines only, one a minute.

    Args:
        console: where to print; standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = Console() if console is None else console

    def line(self, text: str, *, important: bool = False) -> None:
        """Print a line; addresses and paths are not wrapped, so that they can be copied."""
        style = "yellow" if important else None
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, task: str, total: int | None, done: int = 0) -> Iterator[Advance]:
        """A bar of bytes for as long as the block lasts, or lines.

        Args:
            task: what is being done, such as `refcoco.zip`.
            total: number of bytes; None where nobody knows.
            done: bytes that were there before.
        """
        if not self.console.is_terminal:
            yield self._lines(task, total, done)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            number = progress.add_task(task, total=total, completed=done)
            yield lambda bytes_done: progress.update(number, completed=bytes_done)

    def _lines(self, task: str, total: int | None, before: int) -> Advance:
        pace, start = Pace(), time.monotonic()

        def advance(bytes_done: int) -> None:
            if bytes_done > before and pace.is_due():
                self.line(f"{task}: {_text(bytes_done, total, before, time.monotonic() - start)}")

        return advance


def _text(done: int, total: int | None, before: int, seconds: float) -> str:
    """Sizes, the speed, and the time that is left."""
    speed = (done - before) / max(seconds, 1e-3)
    sizes = decimal(done) if total is None else f"{decimal(done)} of {decimal(total)}"
    left = "" if total is None else f", {duration(max(0, total - done) / speed)} left"
    return f"{sizes}, {decimal(int(speed))}/s{left}"
