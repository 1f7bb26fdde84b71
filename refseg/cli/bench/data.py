"""`refseg bench data`: how fast a full-size data set opens, and what its workers weigh."""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.errors import ConfigError

if TYPE_CHECKING:
    from refseg.benchmarks.data import DataFigures

EXAMPLES = """\
examples:
  refseg bench data
  refseg bench data --images 2000 --workers 2
  refseg bench data --keep generated --json figures.json

The full size (20,000 images, 142,210 expressions) takes minutes, 1 GB of disk (in TMPDIR or --keep)
and 4 GB of memory."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg bench data",
        description="Generate a data set as large as RefCOCO, with few pixels. Measure how long it "
        "takes to open at first and later, whether processes that open it at once wait for one "
        "another, and how much each worker of a data loader grows in an epoch.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--images", type=int, default=20_000, help="images, all else in proportion; default: 20000"
    )
    options.add_argument(
        "--workers", type=int, default=4, help="of the data loader, 0: no epoch; default: 4"
    )
    options.add_argument(
        "--start_method",
        choices=["fork", "spawn", "forkserver"],
        default="fork",
        help="how workers begin; default: fork, as on Linux",
    )
    options.add_argument(
        "--processes", type=int, default=8, help="that open the set at once; default: 8"
    )
    options.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the set here, and use it if it is there"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table, and write the figures."""
    for name, least in (("images", 20), ("workers", 0), ("processes", 1)):
        if (value := getattr(arguments, name)) < least:
            raise ConfigError(f"Expected --{name} of at least {least}, got {value}.")
    if arguments.keep is not None:
        return _measure(arguments.keep, arguments)
    with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
        return _measure(Path(folder), arguments)


def _measure(root: Path, arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from refseg.benchmarks.data import measure_data
    from refseg.benchmarks.full_size import SetSize

    console = Console(stderr=True, highlight=False)
    figures = measure_data(
        root,
        SetSize.of_images(arguments.images),
        arguments.workers,
        arguments.start_method,
        arguments.processes,
        lambda text: console.print(f"{text} …"),
    )
    _show(figures)
    if arguments.json is not None:
        figures.write(arguments.json)
        print(f"figures: {arguments.json}")
    return 0


def _show(figures: "DataFigures") -> None:
    from rich.console import Console
    from rich.table import Table

    from refseg.benchmarks.data import BUILD_SECONDS, GROWTH_BYTES, OPEN_SECONDS
    from refseg.benchmarks.worker_memory import EXPLANATION

    size, cold, epoch = figures.size, figures.cold, figures.epoch
    table = Table("measure", "figure", "goal at full size", box=None)
    table.columns[1].justify = "right"
    table.add_row("images", f"{size.images:,}")
    table.add_row("references", f"{size.references:,}")
    table.add_row("expressions", f"{size.expressions:,}")
    table.add_row("annotation on disk", _megabytes(figures.annotation_bytes))
    table.add_row("table on disk", _megabytes(figures.table_bytes))
    table.add_row(
        "first opening, by the clock", f"{cold.seconds:.1f} s", f"at most {BUILD_SECONDS:.0f} s"
    )
    table.add_row("first opening, computing", f"{cold.cpu_seconds:.1f} s")
    table.add_row("first opening, most memory", _megabytes(cold.peak_bytes))
    later = statistics.median(opening.cpu_seconds for opening in figures.warm)
    table.add_row("later openings, computing", f"{later:.3f} s")
    later = statistics.median(opening.seconds for opening in figures.warm)
    table.add_row("later openings, by the clock", f"{later:.3f} s", f"at most {OPEN_SECONDS} s")
    processes = len(figures.concurrent)
    table.add_row(f"{processes} at once, cold: builds", str(figures.builds), "1")
    slowest = max(opening.seconds for opening in figures.concurrent)
    table.add_row(f"{processes} at once, cold: slowest", f"{slowest:.1f} s")
    table.add_row("all saw the same table", "yes" if figures.are_equal else "NO", "yes")
    if epoch is not None:
        table.add_row("expressions in an epoch", f"{epoch.expressions:,}", f"{size.expressions:,}")
        table.add_row("expressions per second", f"{epoch.expressions / epoch.seconds:,.0f}")
        table.add_row("images per second", f"{epoch.images / epoch.seconds:,.0f}")
        for number, worker in enumerate(epoch.workers):
            goal = f"at most + {_megabytes(GROWTH_BYTES)}"
            table.add_row(
                f"worker {number}: beginning, to the end",
                f"{_megabytes(worker.at_start)} + {_megabytes(worker.growth)}",
                goal,
            )
            table.add_row(
                f"worker {number}: first batch, to the most",
                f"{_megabytes(worker.after_first)} + {_megabytes(worker.growth_after_first)}",
                goal,
            )
    console = Console()
    console.print(table)
    if epoch is not None:
        console.print(EXPLANATION, highlight=False)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
