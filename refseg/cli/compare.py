"""`refseg compare`: is one model better than another, where, and is it more than chance?"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.options import add_comparison_options, add_run_options, number_from

if TYPE_CHECKING:
    from rich.console import Console

    from refseg.analysis.findings import Findings

DESCRIPTION = """\
Compare runs on the same expressions: figures with 95 % intervals (bootstrap over images), the
difference of the first model and each other with its interval and p-value (paired permutation
test), where it comes from, and the expressions with the largest gain and loss.

RUN is a folder in which `refseg test` has left results.parquet, or the folder of its training. One
alone gets its intervals and breakdowns; of three and more, all others are compared with the first,
and p-values are corrected for their number. NAME=RUN gives a model its name; runs of one name are
seeds of one model."""

EPILOG = """\
examples:
  refseg compare runs/rmi runs/lstm_cnn
  refseg compare runs/rmi runs/lstm_cnn --by size        does it help small objects?
  refseg compare runs/rmi --by length category
  refseg compare runs/rmi runs/lstm_cnn runs/lavt        the first and each other
  refseg compare runs/rmi-0 runs/rmi-1 runs/rmi-2 --against runs/lstm-0 runs/lstm-1 runs/lstm-2
  refseg compare crf=RUN/test/results_crf.parquet plain=RUN/test    what does DenseCRF change?
  refseg compare rmi=runs/a rmi=runs/b lstm=runs/c lstm=runs/d --json comparison.json

Breakdowns: lengths in the groups of the RMI paper; sizes by share of the image; p-values of groups
are corrected by Holm's method. "More than elsewhere" is the difference in a group minus that in all
other groups: the hunch that a model helps there most of all."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg compare",
        usage="refseg compare RUN [RUN ...] [--against RUN ...] [--by BREAKDOWN ...] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_options(options)
    options.add_argument(
        "--by",
        metavar="BREAKDOWN",
        action="extend",
        nargs="+",
        default=[],
        choices=["length", "size", "category", "rivals", "words"],
        help="length of the expression, size of the object, category, number of rivals of the same "
        "category, or kinds of words",
    )
    add_comparison_options(options, resamples=10_000)
    options.add_argument(
        "--examples",
        metavar="N",
        type=number_from(0),
        default=5,
        help="largest gains, and losses, to show (default: 5)",
    )
    options.add_argument("--json", metavar="FILE", type=Path, help="also write all that was found")
    options.add_argument("--csv", metavar="FILE", type=Path, help="also write all figures, in rows")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Compare, print tables and verdict, and write files."""
    from rich.console import Console

    from refseg.analysis.export import write_csv, write_json
    from refseg.analysis.findings import find
    from refseg.analysis.runs import read_contenders

    contenders = read_contenders(arguments.runs, arguments.against)
    found = find(
        contenders,
        by=arguments.by,
        splits=arguments.split,
        metric=arguments.metric,
        lengths=arguments.lengths,
        sizes=arguments.sizes,
        categories=arguments.categories,
        only_shared=arguments.only_shared,
        resamples=arguments.resamples,
        seed=arguments.seed,
        examples=arguments.examples,
    )
    _show(found, Console())
    if arguments.json is not None:
        write_json(arguments.json, contenders, found)
        print(arguments.json)
    if arguments.csv is not None:
        write_csv(arguments.csv, found.parts)
        print(arguments.csv)
    return 0


def _show(found: "Findings", console: "Console") -> None:
    from rich.text import Text

    from refseg.analysis.tables import (
        breakdown_table,
        comparison_table,
        example_table,
        overview_table,
    )
    from refseg.analysis.verdict import breakdown_verdict

    first, metric, width = found.first, found.metric, console.width
    others: Sequence[str | None] = found.others or [None]
    wholes = [part for part in found.parts if not part.by]
    for part in wholes:
        if len(others) > 1:
            console.print(overview_table(part, metric, width))
        else:
            console.print(comparison_table(part, width, first, others[0]))
    for other in others:
        for members in found.breakdowns():
            console.print(breakdown_table(members, metric, width, first, other))
            if other is not None:
                console.print(Text(breakdown_verdict(members, metric, first, other)))
                console.print()
        if other is not None:
            gains, losses = found.examples[other]
            for place, examples in (("ahead of", gains), ("behind", losses)):
                if examples:
                    title = f"{first} is furthest {place} {other} on (IoU in %)"
                    console.print(example_table(title, examples, first, other))
    for note in found.notes:
        console.print(Text(f"Note: {note}", style="dim"))
    for sentence in found.verdicts:
        console.print(Text(sentence, style="bold"))
