"""`refseg data stats`: a data set in numbers."""

import argparse
from pathlib import Path

from refseg.cli.data.source import (
    add_source_options,
    add_split_option,
    options_named,
    read_source,
    root_of,
)

DESCRIPTION = """\
A data set in numbers: expressions, their lengths and words, the size and class of the objects, how
many distractors of the same class an object has, and how often expressions speak of position."""

EPILOG = """\
examples:
  refseg data stats refcoco --root DIR --split_by unc
  refseg data stats refcoco --root DIR --split_by unc --split val testA
  refseg data stats refcoco --root DIR --split_by unc --out refcoco.html

Lengths are grouped as in the RMI paper. Words are counted as the tokenizer splits them."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg data stats",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_source_options(options)
    add_split_option(options)
    options.add_argument(
        "--out", metavar="FILE", type=Path, help="also write an HTML page with plots"
    )
    return options


def run(arguments: argparse.Namespace) -> int:
    """Count, print the tables, and write the page."""
    from rich.console import Console

    from refseg.cli.data.statistics_report import show, write
    from refseg.data.objects import read_objects
    from refseg.data.statistics import length_bins, summarise

    references = read_source(arguments)
    splits = None
    if arguments.split is not None:
        with options_named():
            splits = references.single_splits(arguments.split)
    objects = read_objects(root_of(arguments), arguments.name)
    statistics = summarise(references, length_bins(arguments.name), objects)
    show(statistics, splits, Console())
    if arguments.out is not None:
        subtitle = f"{arguments.name} in {root_of(arguments)}"
        if references.skipped:
            subtitle += f", without {len(references.skipped):,} records that cannot be read"
        write(arguments.out, statistics, splits, subtitle)
        print(arguments.out)
    return 0
