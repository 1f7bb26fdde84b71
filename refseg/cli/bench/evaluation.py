"""`refseg bench evaluation`: what evaluation costs beside the network."""

import argparse
import json
from pathlib import Path

from refseg.checkpoint import import_packages
from refseg.cli.command_line import add_import_option
from refseg.errors import ConfigError

EXAMPLES = """\
examples:
  refseg bench evaluation
  refseg bench evaluation --expressions 100000
  refseg bench evaluation --checkpoint best.ckpt --json figures.json
  refseg bench evaluation --checkpoint small.ckpt --picture 128 128

Three expressions name each object, and the 16 of a picture make a batch. Times are those of one
processor core. Network and evaluation take turns, and the median of several rounds is shown."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg bench evaluation",
        description="Generate the network's answers and do all that an evaluation does with them: "
        "resize, count, score, divide, write results. Say how long it takes, and by how much "
        "memory grows; with a checkpoint, also in comparison with its network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--expressions", type=int, default=1000, help="number of them; default: 1000"
    )
    options.add_argument(
        "--picture",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        default=(480, 640),
        help="size of the pictures in pixels; default: 480 640",
    )
    options.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="whose network is timed, on the CPU"
    )
    add_import_option(options)
    options.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table, and write the figures."""
    if arguments.expressions < 1:
        raise ConfigError(f"Expected --expressions of at least 1, got {arguments.expressions}.")
    if min(arguments.picture) < 1:
        raise ConfigError(f"Expected --picture of at least 1 1, got {arguments.picture}.")
    from rich.console import Console
    from rich.table import Table

    from refseg.benchmarks.evaluation import measure_evaluation, on_one_core
    from refseg.benchmarks.forward_passes import image_size, measure_overhead
    from refseg.benchmarks.synthetic_batch import SIDE
    from refseg.files import write_text

    import_packages(arguments.packages)
    checkpoint = arguments.checkpoint
    side = SIDE if checkpoint is None else image_size(checkpoint)
    height, width = arguments.picture
    table = Table("measure", "figure", box=None)
    table.columns[1].justify = "right"
    with on_one_core():
        figures = measure_evaluation(arguments.expressions, height=height, width=width, side=side)
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
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(written, indent=2) + "\n")
        print(f"figures: {arguments.json}")
    return 0


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"
