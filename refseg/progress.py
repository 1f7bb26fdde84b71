"""How far long work is: a bar on a terminal, elsewhere a line a minute.

What goes to a file, a log of a cluster or another program is read later, and lines with returns in
them cannot be read; without any, nobody knows whether a run is at work, and for how long.
"""

import os
import time
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

FIRST_SECONDS = 10.0
"""What is done sooner needs no line."""
SECONDS = 60.0
"""From one line to the next."""

Step = TypeVar("Step")


class Pace:
    """Tells when it is time for the next line.

    Args:
        first: seconds until the first one.
        every: seconds from one to the next.
    """

    def __init__(self, first: float = FIRST_SECONDS, every: float = SECONDS) -> None:
        self._every = every
        self._next = time.monotonic() + first

    def is_due(self) -> bool:
        """Whether a line is to be written now; the next one then has its time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every
        return True


def has_bars(console: Console) -> bool:
    """Whether a bar can be drawn there: on a terminal that can go back.

    Unlike `console.is_terminal`, `FORCE_COLOR` makes no terminal of a file.
    """
    stream = console.file
    return not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"


def tracked(
    steps: Iterable[Step],
    what: str,
    total: int | None = None,
    shown: bool = True,
    console: Console | None = None,
) -> Iterator[Step]:
    """Go through the steps of some work, and say how far it is.

    Args:
        steps: of the work; some of it is done between one and the next.
        what: the work, in words: "Decoding images".
        total: number of steps, where `steps` does not know.
        shown: False: say nothing.
        console: where to say it; None: on stderr. Two bars at a time need the same one.

    Example:
        >>> sum(tracked([1, 2, 3], "Adding"))
        6
    """
    if total is None and isinstance(steps, Collection):
        total = len(steps)
    if not shown:
        yield from steps
        return
    console = Console(stderr=True) if console is None else console
    if has_bars(console):
        yield from track(steps, what, total=total, console=console, transient=True)
    else:
        yield from _in_lines(steps, what, total, console)


def _in_lines(
    steps: Iterable[Step], what: str, total: int | None, console: Console
) -> Iterator[Step]:
    pace, start = Pace(), time.monotonic()
    for done, step in enumerate(steps):
        if done and pace.is_due():
            text = progress_text(done, total, time.monotonic() - start)
            print(f"{what}: {text}", file=console.file, flush=True)
        yield step


def progress_text(done: int, total: int | None, seconds: float) -> str:
    """How many steps are done, and the time that the others will take if they are like them.

    Args:
        done: number of steps, more than 0.
        total: of all steps; None where nobody knows.
        seconds: that they took.

    Example:
        >>> progress_text(300, 1_200, 40.0), progress_text(300, None, 40.0)
        ('300 of 1,200, 2 min 0 s left', '300')
    """
    if total is None:
        return f"{done:,}"
    return f"{done:,} of {total:,}, {duration(seconds * (total - done) / done)} left"


def duration(seconds: float) -> str:
    """A time in words of its own size.

    Example:
        >>> duration(9.4), duration(75.0), duration(7_260.0)
        ('9 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
