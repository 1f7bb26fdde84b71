"""What a download says while it works: lines, and a bar for what takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]
"""Called with the bytes done so far."""


class Listener:
    """Prints to a terminal; where the output is no terminal, lines only.

    Args:
        console: where to print; standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = Console() if console is None else console

    def line(self, text: str, *, important: bool = False) -> None:
        """Say one thing; addresses and paths are not broken, so that they can be copied."""
        style = "yellow" if important else None
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, task: str, total: int | None, done: int = 0) -> Iterator[Advance]:
        """A bar of bytes for as long as the block lasts.

        Args:
            task: what is being done, such as `refcoco.zip`.
            total: number of bytes; None where nobody knows.
            done: bytes that were there before.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as progress:
            number = progress.add_task(task, total=total, completed=done)
            yield lambda bytes_done: progress.update(number, completed=bytes_done)
