"""`refseg bench startup`: how long commands take that do next to nothing."""

import platform
import tempfile
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.parsing.argument_types import Checkpoint, Count

if TYPE_CHECKING:
    from refseg.benchmarks.turns import Spread


def bench_startup(
    *,
    checkpoint: Checkpoint | None = None,
    rounds: Count = 5,
    threads: Count = 1,
    json: Path | None = None,
) -> None:
    """Measure commands from their start to their end, each in a process of its own.

    They take turns with `import torch`, which alone takes most of the time of those that need it,
    and with the import of lightning, for `refseg fit`. On a machine with other work look at the
    seconds of computing.

    Args:
        checkpoint: with it, a picture is segmented, too
        rounds: of measuring
        threads: that the commands compute with
        json: write all figures here

    Examples:
        refseg bench startup
        refseg bench startup --checkpoint best.ckpt --rounds 9 --json figures.json
    """
    from rich.console import Console
    from rich.table import Table

    from refseg.benchmarks.startup import commands, measure_startup
    from refseg.benchmarks.turns import Spread
    from refseg.files import write_text

    progress, console = Console(stderr=True, highlight=False), Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
        path = None if checkpoint is None else Path(checkpoint).absolute()
        chosen = commands(Path(folder), path)
        figures = measure_startup(chosen, rounds, threads, lambda text: progress.print(f"{text} …"))
    names = {row.name: str(number) for number, row in enumerate(figures, start=1)}
    table = Table("", "command", box=None)
    for head in ("seconds", "computing", "beside", "ratio", "computing"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in figures:
        compared = ["", "", ""]
        if row.beside is not None and row.ratio is not None and row.computing_ratio is not None:
            compared = [names[row.beside], _text(row.ratio), _text(row.computing_ratio)]
        table.add_row(
            names[row.name], row.name, _text(row.seconds), _text(row.computing), *compared
        )
    console.print("Median of the rounds; beside: the command that a ratio is to")
    console.print(table)
    if json is not None:
        rows = [
            {
                name: value._asdict() if isinstance(value, Spread) else value
                for name, value in vars(row).items()
            }
            for row in figures
        ]
        settings = {"rounds": rounds, "threads": threads, "machine": platform.machine()}
        write_text(json, dumps({**settings, "commands": rows}, indent=1) + "\n")
        print(f"figures: {json}")


def _text(spread: "Spread") -> str:
    return f"{spread.median:.2f}"
