"""`refseg bench evaluation`: what evaluation costs beside the network."""

from json import dumps
from pathlib import Path
from typing import Annotated

from refseg.checkpoint import import_packages
from refseg.cli.parsing.argument_types import Checkpoint, Count, Option, Packages


def bench_evaluation(
    *,
    expressions: Count = 1000,
    picture: Annotated[tuple[Count, Count], Option(metavar=("HEIGHT", "WIDTH"))] = (480, 640),
    checkpoint: Checkpoint | None = None,
    packages: Packages = (),
    json: Path | None = None,
) -> None:
    """Generate the network's answers and do all that an evaluation does with them.

    That is: resize, count, score, divide, write results. Say how long it takes, and by how much
    memory grows; with a checkpoint, also in comparison with its network.

    Three expressions name each object, and the 16 of a picture make a batch. Times are those of
    one processor core. Network and evaluation take turns, and the median of several rounds is
    shown.

    Args:
        expressions: number of them
        picture: size of the pictures in pixels
        checkpoint: whose network is timed, on the CPU
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated
        json: write all figures here

    Examples:
        refseg bench evaluation
        refseg bench evaluation --expressions 100000
        refseg bench evaluation --checkpoint best.ckpt --json figures.json
        refseg bench evaluation --checkpoint small.ckpt --picture 128 128
    """
    from rich.console import Console
    from rich.table import Table

    from refseg.benchmarks.evaluation import measure_evaluation, on_one_core
    from refseg.benchmarks.forward_passes import image_size, measure_overhead
    from refseg.benchmarks.synthetic_batch import SIDE
    from refseg.files import write_text

    import_packages(packages)
    side = SIDE if checkpoint is None else image_size(checkpoint)
    height, width = picture
    table = Table("measure", "figure", box=None)
    table.columns[1].justify = "right"
    with on_one_core():
        figures = measure_evaluation(expressions, height=height, width=width, side=side)
        written: dict[str, object] = figures._asdict()
        table.add_row("expressions", f"{figures.expressions:,}")
        table.add_row(
            "evaluation, per expression", _milliseconds(figures.seconds / figures.expressions)
        )
        table.add_row(
            "  of it to write results", _milliseconds(figures.rows_seconds / figures.expressions)
        )
        if checkpoint is not None:
            beside = measure_overhead(checkpoint, height, width)
            written["network"] = {
                name.replace(" ", "_"): found._asdict() for name, found in beside.items()
            }
            for name, (seconds, overhead) in beside.items():
                table.add_row(f"network, per expression, {name}", _milliseconds(seconds))
                table.add_row("  evaluation takes longer by", f"{100 * overhead:.1f} %")
    table.add_row("memory after the first batches", f"{figures.memory / 1e6:,.1f} MB")
    table.add_row("  grows in later ones by", f"{figures.growth / 1e6:,.1f} MB")
    table.add_row("  and while results are written by", f"{figures.growth_at_end / 1e6:,.1f} MB")
    Console().print(table)
    if json is not None:
        write_text(json, dumps(written, indent=2) + "\n")
        print(f"figures: {json}")


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
