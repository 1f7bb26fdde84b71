"""`refseg data verify`: is a data set what was published?"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.data.source import (
    add_source_options,
    options_named,
    outside_files,
    positive,
    root_of,
)

if TYPE_CHECKING:
    from refseg.data.verification import Verification

DESCRIPTION = """\
Check every file, record, image and mask of a data set, and its counts against the published ones.

Exit code 0: nothing is wrong. 1: something is; a table says what, with the ids of the records.
2: there is no such data set or partition."""

EPILOG = """\
examples:
  refseg data verify refcoco --root DIR --split_by unc
  refseg data verify refcoco --root DIR --split_by unc --no-pixels
  refseg data verify mine --root DIR --json problems.json

Without --no-pixels every image is decoded: of all checks this takes longest, and it is the only one
that finds an image that is cut short."""


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = argparse.ArgumentParser(
        prog="refseg data verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_source_options(options)
    options.add_argument(
        "--no-pixels",
        dest="pixels",
        action="store_false",
        help="read the headers of images only, and do not decode them",
    )
    options.add_argument(
        "--no-counts",
        dest="counts",
        action="store_false",
        help="do not compare with the published counts (for a part of a data set)",
    )
    options.add_argument(
        "--jobs",
        metavar="N",
        type=positive,
        default=min(8, os.cpu_count() or 1),
        help="images to decode at a time (default: %(default)s)",
    )
    options.add_argument(
        "--examples",
        metavar="N",
        type=positive,
        default=3,
        help="records to show of each problem (default: %(default)s)",
    )
    options.add_argument("--json", metavar="FILE", type=Path, help="write everything found to FILE")
    return options


def run(arguments: argparse.Namespace) -> int:
    """Check, print what was found, and return 1 if something is wrong, else 0."""
    from rich.console import Console

    from refseg.cli.data.findings import report, write_json
    from refseg.data.verification import verify

    root = root_of(arguments)
    with options_named():
        verification: Verification = verify(
            root,
            arguments.name,
            arguments.split_by,
            outside_files=outside_files(arguments),
            pixels=arguments.pixels,
            counts=arguments.counts,
            jobs=arguments.jobs,
            progress=True,
        )
    report(verification, root, arguments.pixels, arguments.examples, Console())
    if arguments.json is not None:
        write_json(arguments.json, verification, root)
        print(arguments.json)
    return 0 if verification.is_clean else 1
