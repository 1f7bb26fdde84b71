"""`refseg bench data`: how fast a data set opens and is read, and what its workers weigh."""

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from refseg.cli.bench.photos import read_photos, show_loading
from refseg.cli.bench.spread_tables import as_json
from refseg.cli.parsing.argument_types import Count, Folder, Natural, Option

if TYPE_CHECKING:
    from refseg.benchmarks.data import DataFigures


def bench_data(
    *,
    images: Annotated[int, Option(least=20)] = 20_000,
    workers: Natural = 4,
    start_method: Literal["fork", "spawn", "forkserver"] = "fork",
    processes: Count = 8,
    keep: Folder | None = None,
    photos: Count = 50,
    rounds: Count = 3,
    json: Path | None = None,
    options: Annotated[Sequence[str], Option(rest=("--data",))] = (),
) -> None:
    """Generate a data set as large as RefCOCO, with few pixels, and measure how it is read.

    Measured are how long it takes to open at first and later, whether processes that open it at
    once wait for one another, and how much each worker of a data loader grows in an epoch. The full
    size (20,000 images, 142,210 expressions) takes minutes, 1 GB of disk (in TMPDIR or --keep) and
    4 GB of memory.

    Then photographs of 480×640 pixels are read, with all that a network is given of them. The
    reference is the usual data set class, with one sentence per item, for which it decodes the
    photograph and the mask anew; the limit is that each photograph is decoded once, and nothing
    else. With --data.root and --data.dataset, only this is measured, with a data set of yours.

    Args:
        images: number of images, all else in proportion
        workers: of the data loader; 0: no epoch
        start_method: how workers begin; fork as on Linux
        processes: that open the set at once
        keep: keep the set here, and use it if it is there
        photos: that are read beside the usual way
        rounds: of reading them
        json: write all figures here
        options: --data.root DIR, --data.dataset refcoco, --data.split_by unc, --data.image_size 320
            and other options of `refseg fit` for data

    Examples:
        refseg bench data
        refseg bench data --images 2000 --workers 2
        refseg bench data --keep generated --json figures.json
        refseg bench data --data.root DIR --data.dataset refcoco --data.split_by unc
    """
    from rich.console import Console

    from refseg.benchmarks.data import measure_data
    from refseg.benchmarks.full_size import SetSize
    from refseg.files import write_text

    console = Console(stderr=True, highlight=False)

    def say(text: str) -> None:
        console.print(f"{text} …")

    written: dict[str, object] = {}
    if not options:
        made = (
            tempfile.TemporaryDirectory(prefix="refseg-bench-")
            if keep is None
            else nullcontext(keep)
        )
        with made as root:
            size = SetSize.of_images(images)
            figures = measure_data(Path(root), size, workers, start_method, processes, say)
        _show(figures)
        written |= asdict(figures)
    loading = read_photos(options, photos, rounds, say)
    show_loading(loading)
    if json is not None:
        write_text(json, dumps({**written, "loading": as_json(loading)}, indent=1) + "\n")
        print(f"figures: {json}")


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
