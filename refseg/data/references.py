"""The columnar table of references: one row per expression, whatever files it came from."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int32, Int64, Integer

from refseg.data.fingerprints import fingerprint_of
from refseg.data.grouping import ImageGroups, first_expression_ids, group_by_image
from refseg.data.schema import SCHEMA, SPLIT_ORDER, SPLIT_SEPARATOR, SPLIT_UNIONS
from refseg.errors import DataError
from refseg.types import RunLengths

_CATEGORY = SCHEMA.field("category")
_SKIPPED = b"skipped"
_NOTES = b"notes"


class References:
    """Expressions with the object that each of them names: one Arrow table, one row each.

    Rows as Python objects would be copied into every worker process as their reference counts
    change; Arrow's buffers are shared. Nothing here keeps an object per row. Choosing rows copies
    their numbers alone. A table that lies in a file (`read_table`) is sent to another process as
    the file's name and the numbers of the rows.

    Args:
        table: with the columns of `SCHEMA`.
        reopen: gives the same table again, in any process of this machine; none for a table that
            lies in memory only.

    Example:
        >>> References(SCHEMA.empty_table())
        References(0 expressions, 0 references, 0 images)
    """

    consulted: Sequence[Path] = ()
    """What a reader that has just made this table read, listed or looked for outside of the data
    set's own folder: files and folders, whether they are there or not."""

    def __init__(self, table: pa.Table, reopen: "Callable[[], References] | None" = None) -> None:
        metadata = table.schema.metadata
        if _CATEGORY.name not in table.column_names:  # written by an earlier version
            table = table.append_column(_CATEGORY, pa.nulls(len(table), _CATEGORY.type))
        table = table.select(SCHEMA.names).cast(SCHEMA).replace_schema_metadata(metadata)
        # None of this copies what is one chunk already, so a mapped file stays on disk.
        self._whole: pa.Table = table.unify_dictionaries().combine_chunks()
        self._reopen = reopen
        self._rows: Int32[np.ndarray, " rows"] | None = None

    @cached_property
    def table(self) -> pa.Table:
        """The columns. Of chosen rows they are copied when first asked for."""
        return self._whole if self._rows is None else self._whole.take(self._rows)

    def __reduce__(self) -> tuple[object, ...]:
        """What is sent to another process: where there is a file, its path and the rows."""
        if self._reopen is None:
            return References, (self.table,)
        return _reopened, (self._reopen, self._rows)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[object] | pa.Array],
        skipped: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> "References":
        """Build the table from one sequence per column of `SCHEMA` (what readers do).

        Args:
            columns: of equal length, as Python or as Arrow has them; without `mask_kind`, all are
                "mask" (segmentations), without `category`, no class has a name.
            skipped: what was wrong with each record that was left out.
            notes: what was put right or taken for granted in records that were kept.
        """
        if "mask_kind" not in columns:
            columns = {**columns, "mask_kind": ["mask"] * len(columns["expression"])}
        if _CATEGORY.name not in columns:
            columns = {**columns, _CATEGORY.name: [None] * len(columns["expression"])}
        arrays = [
            values if isinstance(values, pa.Array) else pa.array(values, SCHEMA.field(name).type)
            for name, values in ((name, columns[name]) for name in SCHEMA.names)
        ]
        table = pa.Table.from_arrays(arrays, schema=SCHEMA)
        return cls(_with_messages(table, skipped, notes))

    @classmethod
    def concat(cls, parts: Iterable["References"]) -> "References":
        """The rows of several tables, one after the other.

        Ids are unique within a data set only: after joining two data sets, tell rows apart by
        `source` and id.
        """
        parts = list(parts)
        table = pa.concat_tables([SCHEMA.empty_table(), *(part.table for part in parts)])
        skipped = [message for part in parts for message in part.skipped]
        notes = [message for part in parts for message in part.notes]
        return cls(_with_messages(table, skipped, notes))

    def __len__(self) -> int:
        """Number of expressions."""
        return self._whole.num_rows if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        """Counts, for a console."""
        images = len(self.images().offsets) - 1
        references = pc.count_distinct(self._column("reference_id")).as_py()
        return f"References({len(self)} expressions, {references} references, {images} images)"

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was wrong with each record that was left out: bad, or a known gap of the set."""
        return self._messages(_SKIPPED)

    @property
    def notes(self) -> tuple[str, ...]:
        """Corrections and assumptions in records that were kept (a wrong size, for example)."""
        return self._messages(_NOTES)

    def _messages(self, key: bytes) -> tuple[str, ...]:
        metadata = self._whole.schema.metadata or {}
        return tuple(json.loads(metadata.get(key, b"[]")))

    @property
    def source(self) -> str:
        """The data set(s) that the rows came from, as messages name them."""
        return ", ".join(_distinct(self._column("source"))) or "an empty table"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows, in the customary order."""
        known = {name: position for position, name in enumerate(SPLIT_ORDER)}
        names = dict.fromkeys(
            name
            for value in _distinct(self._column("split"))
            for name in value.split(SPLIT_SEPARATOR)
        )
        return tuple(sorted(names, key=lambda name: known.get(name, len(known))))

    @property
    def expressions(self) -> pa.ChunkedArray:
        """The column of sentences."""
        return self._column("expression")

    def single_splits(self, names: str | Sequence[str]) -> list[str]:
        """The names of splits with `trainval` and the like (`SPLIT_UNIONS`) taken apart.

        Args:
            names: of splits, as the data set writes them, or of unions of splits.

        Raises:
            DataError: the data set has no split of that name.
        """
        present = self.splits
        single: list[str] = []
        for name in [names] if isinstance(names, str) else names:
            parts = (name,) if name in present else SPLIT_UNIONS.get(name, (name,))
            if not set(parts) <= set(present):
                raise DataError(
                    f"Unknown split '{name}' of {self.source}; choose one of "
                    f"{', '.join(present) or '(it has no rows at all)'}."
                )
            single += parts
        return list(dict.fromkeys(single))

    def split(self, names: str | Sequence[str]) -> "References":
        """The rows of one or several splits, each row once, though it may belong to several.

        Args:
            names: of splits, as the data set writes them, or of unions of splits (`trainval`).

        Raises:
            DataError: the data set has no split of that name.
        """
        wanted = self.single_splits(names)
        # Compared as texts: the values of a dictionary column may include some without rows.
        values = [
            value
            for value in _distinct(self._column("split"))
            if not set(wanted).isdisjoint(value.split(SPLIT_SEPARATOR))
        ]
        is_wanted = pc.is_in(self._column("split").cast(pa.string()), pa.array(values, pa.string()))
        return self.select(np.flatnonzero(is_wanted.to_numpy()))

    def select(self, rows: Integer[np.ndarray, " rows"]) -> "References":
        """Some of the rows, in this order; nothing but their numbers is copied.

        Args:
            rows: 0 is the first row.

        Raises:
            IndexError: there is no such row.

        Example:
            >>> References(SCHEMA.empty_table()).select(np.zeros(0, np.int64))
            References(0 expressions, 0 references, 0 images)
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"Expected rows from 0 to {len(self) - 1}, got some beyond.")
        chosen = References.__new__(References)
        chosen._whole, chosen._reopen = self._whole, self._reopen
        chosen._rows = (rows if self._rows is None else self._rows[rows]).astype(np.int32)
        return chosen

    def take(self, rows: Integer[np.ndarray, " rows"], columns: Sequence[str]) -> pa.Table:
        """Some columns of a few rows: the time it takes does not grow with the table."""
        whole = rows if self._rows is None else self._rows[rows]
        return self._whole.select(list(columns)).take(whole)

    def images(self) -> ImageGroups:
        """The rows grouped by image (by its path, as ids of two data sets may coincide)."""
        codes = _codes(self._whole["image_path"])
        if self._rows is not None:
            codes = codes[self._rows]
        return group_by_image(codes)

    def by_reference(self) -> ImageGroups:
        """The rows grouped by reference, an object with its expressions, as images are."""
        return group_by_image(self.table["reference_id"].to_numpy())

    def first_expression_ids(self) -> Int64[np.ndarray, " objects"]:
        """The id of one expression of each object: the first one of the last reference to it.

        Expressions that name several objects, or none, count as an object for each set of objects
        in an image, or for each reference.
        """
        return first_expression_ids(self.table)

    def truth(self, row: int) -> RunLengths:
        """The mask of one row, in the image's own size."""
        height, width, rle = (self._value(name, row) for name in ("height", "width", "rle"))
        return RunLengths(height, width, rle)

    def record(self, row: int) -> str:
        """How messages name a row: data set, reference and expression."""
        source, reference, expression = (
            self._value(name, row) for name in ("source", "reference_id", "expression_id")
        )
        return f"{source}, ref_id {reference}, sent_id {expression}"

    def fingerprint(self) -> str:
        """A hash of the content, the same wherever the folder lies and however rows are chunked."""
        return fingerprint_of(self.table)

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._whole[name] if self._rows is None else self._whole[name].take(self._rows)

    def _value(self, name: str, row: int) -> Any:  # noqa: ANN401  # whatever the column holds
        return self._whole[name][row if self._rows is None else int(self._rows[row])].as_py()


def _reopened(
    reopen: "Callable[[], References]", rows: Int32[np.ndarray, " rows"] | None
) -> References:
    return reopen() if rows is None else reopen().select(rows)


def _with_messages(table: pa.Table, skipped: Sequence[str], notes: Sequence[str]) -> pa.Table:
    messages = {_SKIPPED: list(skipped), _NOTES: list(notes)}
    stored = {key: json.dumps(texts) for key, texts in messages.items() if texts}
    return table.replace_schema_metadata(stored or None)


def _distinct(column: pa.ChunkedArray) -> list[str]:
    return [str(value) for value in pc.unique(column).to_pylist()]


def _codes(column: pa.ChunkedArray) -> Int64[np.ndarray, " rows"]:
    if column.num_chunks == 0:
        return np.zeros(0, np.int64)
    (chunk,) = column.chunks
    return chunk.indices.to_numpy().astype(np.int64)
