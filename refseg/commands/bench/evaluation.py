"""`refseg bench evaluation`: what evaluation costs beside the network."""

import argparse
import json
from pathlib import Path

from refseg.errors import ConfigError

EXAMPLES = """\
examples:
  refseg bench evaluation
  refseg bench evaluation --expressions 100000
  refseg bench evaluation --expressions 1000 --checkpoint best.ckpt --json figures.json

Pictures have 480 × 640 pixels, three expressions name each object, and 16 make a batch."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg bench evaluation",
        description="Generate the network's answers and do all that an evaluation does with them: "
        "resize, count, score, write rows, merge. Say how long it takes, and by how much memory "
        "grows; with a checkpoint, also in comparison with its network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--expressions", type=int, default=1000, help="number of them; default: 1000"
    )
    options.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="whose network is timed, on the CPU"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table, and write the figures."""
    if arguments.expressions < 1:
        raise ConfigError(f"Expected --expressions of at least 1, got {arguments.expressions}.")
    from rich.console import Console
    from rich.table import Table

    from refseg.benchmarks.evaluation import measure_evaluation, network_seconds
    from refseg.files import write_text

    figures = measure_evaluation(arguments.expressions)
    each = figures.seconds / figures.expressions
    table = Table("measure", "figure", box=None)
    table.columns[1].justify = "right"
    table.add_row("expressions", f"{figures.expressions:,}")
    table.add_row("evaluation, per expression", f"{1000 * each:.2f} ms")
    table.add_row("memory, growth after the first batch", f"{figures.growth / 1e6:.1f} MB")
    written = figures._asdict()
    if arguments.checkpoint is not None:
        network = network_seconds(arguments.checkpoint)
        written["network_seconds_per_expression"] = network
        table.add_row("network, per expression", f"{1000 * network:.2f} ms")
        table.add_row("evaluation takes longer by", f"{100 * each / network:.1f} %")
    Console().print(table)
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(written, indent=2) + "\n")
        print(f"figures: {arguments.json}")
    return 0
