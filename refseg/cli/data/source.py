"""Which data set a verb is about: the options, and what reading it takes."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.errors import ConfigError, DataError

if TYPE_CHECKING:
    from refseg.data.references import References


def add_source_options(options: argparse.ArgumentParser) -> None:
    """Name, root and partition, the same for all verbs."""
    options.add_argument(
        "name", metavar="NAME", help="the folder of the annotations, as refcoco; or shapes"
    )
    options.add_argument(
        "--root", metavar="DIR", type=Path, help="folder of the data (not needed for shapes)"
    )
    options.add_argument(
        "--split_by",
        metavar="WHO",
        help="who made the splits, as unc; needed where there are several partitions",
    )
    add_outside_option(options)


def add_outside_option(options: argparse.ArgumentParser) -> None:
    """Whether a table of one's own may name any file."""
    options.add_argument(
        "--outside_files",
        choices=["true", "false"],
        default="false",
        help="take files outside of its folder that a table of one's own names; default: false",
    )


def outside_files(arguments: argparse.Namespace) -> bool:
    """Whether files outside of the folder are taken."""
    return bool(arguments.outside_files == "true")


def add_split_option(options: argparse.ArgumentParser) -> None:
    """The splits to look at."""
    options.add_argument(
        "--split", metavar="SPLIT", nargs="+", help="only these splits; default: all"
    )


def positive(text: str) -> int:
    """A number from 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {value}")
    return value


def root_of(arguments: argparse.Namespace) -> Path:
    """The folder of the data; the built-in set is drawn where it is not yet.

    Raises:
        ConfigError: no folder was given.
        DataError: it is absent.
    """
    if arguments.root is None:
        if arguments.name == "shapes":
            from refseg.data.shapes import ShapesOptions, prepare_shapes

            return prepare_shapes(ShapesOptions())
        raise ConfigError(
            f"The data set '{arguments.name}' needs a folder: give it with --root (only the "
            "built-in set 'shapes' does without)."
        )
    root: Path = arguments.root
    if not root.is_dir():
        raise DataError(f"The folder {root} is absent; give the folder of the data with --root.")
    return root


@contextmanager
def options_named() -> Iterator[None]:
    """Name the options in messages as these verbs call them: `--root`, not `--data.root`."""
    try:
        yield
    except DataError as error:
        raise DataError(
            str(error).replace("--data.dataset", "NAME").replace("--data.", "--")
        ) from (None)


def read_source(arguments: argparse.Namespace) -> "References":
    """All splits; bad records are left out, as looking at the others still makes sense.

    Raises:
        ConfigError: no folder was given.
        DataError: the data set cannot be read.
    """
    from refseg.data.cache import open_references

    with options_named():
        references = open_references(
            root_of(arguments),
            arguments.name,
            arguments.split_by,
            "skip",
            outside_files(arguments),
        )
    if references.skipped:
        print(
            f"{len(references.skipped):,} records of {arguments.name} cannot be read and were "
            f"left out; `refseg data verify {arguments.name}` lists them.",
            file=sys.stderr,
        )
    if not len(references):
        raise DataError(f"{arguments.name} has no expression that can be read.")
    return references
