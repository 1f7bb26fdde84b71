"""Which data set a verb is about, and what reading it takes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from refseg.cli.parsing.argument_types import Folder, Option
from refseg.errors import ConfigError, DataError

if TYPE_CHECKING:
    from refseg.data.references import References


@dataclass(frozen=True)
class Source:
    """Where a data set lies, and which partition of it is meant.

    Args:
        root: folder of the data (not needed for shapes)
        split_by: who made the splits, as unc; needed where there are several partitions
        outside_files: take files outside of its folder that a table of one's own names
    """

    root: Folder | None = None
    split_by: Annotated[str | None, Option(metavar="WHO")] = None
    outside_files: bool = False

    def folder(self, name: str) -> Path:
        """The folder of the data; the built-in set is drawn where it is not yet.

        Args:
            name: of the data set.

        Raises:
            ConfigError: no folder was given.
            DataError: it is absent.
        """
        if self.root is None:
            if name == "shapes":
                from refseg.data.shapes import ShapesOptions, prepare_shapes

                return prepare_shapes(ShapesOptions())
            raise ConfigError(
                f"The data set '{name}' needs a folder: give it with --root (only the built-in set "
                "'shapes' does without)."
            )
        if not self.root.is_dir():
            raise DataError(
                f"The folder {self.root} is absent; give the folder of the data with --root."
            )
        return self.root

    def open(self, name: str, on_bad_record: Literal["error", "skip"]) -> "References":
        """All splits of a data set.

        Args:
            name: of the data set.
            on_bad_record: stop at the first bad record, or leave bad records out.

        Raises:
            ConfigError: no folder was given.
            DataError: the data set cannot be read.
        """
        from refseg.data.cache import open_references

        with options_named():
            return open_references(
                self.folder(name), name, self.split_by, on_bad_record, self.outside_files
            )

    def read(self, name: str) -> "References":
        """All splits; bad records are left out, as looking at the others still makes sense.

        Args:
            name: of the data set.

        Raises:
            ConfigError: no folder was given.
            DataError: the data set cannot be read.
        """
        references = self.open(name, "skip")
        if references.skipped:
            print(
                f"{len(references.skipped):,} records of {name} cannot be read and were left out; "
                f"`refseg data verify {name}` lists them.",
                file=sys.stderr,
            )
        if not len(references):
            raise DataError(f"{name} has no expression that can be read.")
        return references


@contextmanager
def options_named() -> Iterator[None]:
    """Name the options in messages as these verbs call them: `--root`, not `--data.root`."""
    try:
        yield
    except DataError as error:
        message = str(error).replace("--data.dataset", "NAME")
        message = message.replace("--data.outside_files true", "--outside_files")
        raise DataError(message.replace("--data.", "--")) from None
