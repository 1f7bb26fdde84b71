"""Collects the rows of a table of references while a file is read."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from refseg.data.readers.records import BadRecords
from refseg.data.references import References
from refseg.data.schema import SCHEMA
from refseg.errors import DataError
from refseg.types import RunLengths


class Sentence(NamedTuple):
    """One expression of a reference.

    Args:
        expression_id: unique within the data set.
        expression: cleaned, with at least one word.
        raw: as it was typed.
    """

    expression_id: int
    expression: str
    raw: str


class TableBuilder:
    """The columns of `SCHEMA`, filled reference by reference; ids may not occur twice.

    Args:
        source: how messages name the data set, such as `refcoco (unc)`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._consulted: set[Path] = set()
        shared = [name for name in SCHEMA.names if name not in Sentence._fields]
        # What all sentences of a reference share is kept once until the table is made.
        self._shared: dict[str, list[object]] = {name: [] for name in shared}
        self._own: dict[str, list[object]] = {name: [] for name in Sentence._fields}
        self._counts: list[int] = []
        self._reference_ids: set[int] = set()
        self._expression_ids: set[int] = set()

    def consult(self, paths: Iterable[Path]) -> None:
        """Remember what the table depends on besides the files in the data set's own folder.

        A cached table is made again when one of them changes, comes or goes.

        Args:
            paths: files that are read, folders that are listed, and places where either is looked
                for in vain.
        """
        self._consulted.update(paths)

    def add(
        self,
        record: str,
        reference_id: int,
        sentences: Sequence[Sentence],
        *,
        annotation_ids: list[int],
        category_ids: list[int],
        image_id: int,
        split: str,
        image_path: Path | str,
        mask: RunLengths,
        mask_kind: str = "mask",
        category: str | None = None,
    ) -> None:
        """Add a reference with its sentences, or, where one is bad, nothing of it.

        Args:
            record: file and record, for messages.
            reference_id: unique within the data set.
            sentences: at least one.
            annotation_ids: of the objects that it names.
            category_ids: their classes.
            image_id: of its image.
            split: its split, or several with `SPLIT_SEPARATOR` between them.
            image_path: where the image should be.
            mask: of its objects together, in the image's size.
            mask_kind: "mask", or "box" where only a box was published.
            category: the name of the class, where the data set names it instead of numbering it.

        Raises:
            DataError: there is no sentence, or an id has been there before.
        """
        if not sentences:
            raise DataError(f"{record}: it has no expression.")
        if reference_id in self._reference_ids:
            raise DataError(f"{record}: its reference id {reference_id} occurs twice.")
        ids = [sentence.expression_id for sentence in sentences]
        for expression_id in ids:
            if expression_id in self._expression_ids or ids.count(expression_id) > 1:
                raise DataError(f"{record}: its expression id {expression_id} occurs twice.")
        self._reference_ids.add(reference_id)
        self._expression_ids.update(ids)
        self._counts.append(len(ids))
        for column, values in zip(self._own.values(), zip(*sentences, strict=True), strict=True):
            column.extend(values)
        row = {
            "source": self.source,
            "reference_id": reference_id,
            "annotation_ids": annotation_ids,
            "category_ids": category_ids,
            "image_id": image_id,
            "split": split,
            "image_path": str(image_path),
            "height": mask.height,
            "width": mask.width,
            "rle": mask.counts,
            "mask_kind": mask_kind,
            "category": category,
        }
        for name, column in self._shared.items():
            column.append(row[name])

    def build(self, bad: BadRecords, notes: Sequence[str] = ()) -> References:
        """The table of all rows.

        Args:
            bad: what was left out.
            notes: what was put right or taken for granted.

        Raises:
            DataError: everything was left out.
        """
        if not self._counts and bad.messages:
            raise DataError(
                f"{self.source} has no usable reference: {len(bad.messages)} records are bad. The "
                f"first of them: {bad.messages[0]}"
            )
        reference = pa.array(np.repeat(np.arange(len(self._counts)), self._counts))
        columns = {
            name: pa.array(values, SCHEMA.field(name).type).take(reference)
            for name, values in self._shared.items()
        }
        references = References.from_columns(columns | self._own, bad.messages, notes)
        references.consulted = sorted(self._consulted)
        return references


def has_word(expression: str) -> bool:
    """Whether a sentence has a letter or a digit at all."""
    return any(map(str.isalnum, expression))
