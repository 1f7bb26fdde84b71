"""`refseg data overlap`: images that training and evaluation splits share."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.data.source import add_outside_option, outside_files

if TYPE_CHECKING:
    from refseg.data.mixtures.overlap import Overlap

EXAMPLES = """\
examples:
  refseg data overlap --root DIR                     (all data sets that are there)
  refseg data overlap refcoco refcoco+ refcocog:umd --root DIR
  refseg data overlap refcocog:google --root DIR --fail --json overlap.json"""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg data overlap",
        description="Count the images, and the expressions on them, that the training splits of "
        "some data sets share with the evaluation splits of any of them. Photographs of COCO are "
        "the same if their COCO numbers are. `refseg fit` leaves such images out of training "
        "(--data.train_on_evaluation_images keeps them).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "datasets",
        nargs="*",
        metavar="NAME[:SPLIT_BY]",
        help="data sets, with who made the splits where there are several; default: all under root",
    )
    options.add_argument("--root", type=Path, required=True, help="the folder of the data")
    add_outside_option(options)
    options.add_argument(
        "--fail", action="store_true", help="exit with code 1 if any image is shared (for CI)"
    )
    options.add_argument(
        "--json", type=Path, metavar="FILE", help="write all counts, also those that are 0"
    )
    return options


def run(arguments: argparse.Namespace) -> int:
    """Count and show; 1 only with `--fail`, as sharing is no mistake of the data."""
    from rich.console import Console

    from refseg.data.mixtures.mixture import read_mixture
    from refseg.data.mixtures.neighbours import present_sources
    from refseg.data.mixtures.overlap import (
        as_records,
        find_overlaps,
        find_totals,
        overlap_table,
        totals_table,
    )
    from refseg.data.mixtures.spec import sources_of
    from refseg.errors import DataError
    from refseg.files import write_text

    sources = sources_of(arguments.datasets) if arguments.datasets else []
    sources = sources or present_sources(arguments.root)
    if not sources:
        raise DataError(
            f"{arguments.root} has no folder with annotations (refs(*).p); give the folder of the "
            "data with --root."
        )
    mixture = read_mixture(sources, arguments.root, "skip", outside_files=outside_files(arguments))
    overlaps = find_overlaps(mixture)
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(as_records(overlaps), indent=2) + "\n")
    console = Console()
    shared = [overlap for overlap in overlaps if overlap.images]
    if shared:
        console.print(overlap_table(shared))
        console.print(totals_table(find_totals(mixture)))
    else:
        console.print(_nothing(overlaps))
    return 1 if shared and arguments.fail else 0


def _nothing(overlaps: "list[Overlap]") -> str:
    training = dict.fromkeys(overlap.training for overlap in overlaps)
    if not training:
        return "No data set has both: a training split and, in any of them, an evaluation split."
    evaluation = dict.fromkeys(overlap.evaluation for overlap in overlaps)
    return f"No image of {', '.join(training)} is an image of {', '.join(evaluation)}."
