"""Collects the rows of a table of references while a file is read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from refseg.data.readers.records import BadRecords
from refseg.data.references import SCHEMA, References
from refseg.errors import DataError


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

    Example:
        >>> table = TableBuilder()
        >>> table.add("a.csv, line 2", 7, {"image_id": 1}, [Sentence(7, "a dog", "A dog")])
        >>> table.columns["expression"]
        ['a dog']
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
        self._references: set[int] = set()
        self._expressions: set[int] = set()

    def add(
        self,
        record: str,
        reference_id: int,
        shared: Mapping[str, object],
        sentences: Sequence[Sentence],
    ) -> None:
        """Add a reference with its sentences, or, where one is bad, nothing of it.

        Args:
            record: file and record, for messages.
            reference_id: unique within the data set.
            shared: the other columns, which all its rows share; `mask_kind` may be absent ("mask").
            sentences: at least one.

        Raises:
            DataError: there is no sentence, or an id has been there before.
        """
        if not sentences:
            raise DataError(f"{record}: it has no expression.")
        if reference_id in self._references:
            raise DataError(f"{record}: the id {reference_id} of its object occurs twice.")
        ids = [sentence.expression_id for sentence in sentences]
        for expression_id in ids:
            if expression_id in self._expressions or ids.count(expression_id) > 1:
                raise DataError(f"{record}: the id {expression_id} of its expression occurs twice.")
        self._references.add(reference_id)
        self._expressions.update(ids)
        for sentence in sentences:
            row = {
                "mask_kind": "mask",
                "reference_id": reference_id,
                **shared,
                **sentence._asdict(),
            }
            for name, column in self.columns.items():
                column.append(row.get(name))

    def build(self, bad: BadRecords, notes: Sequence[str] = ()) -> References:
        """The table of all rows.

        Args:
            bad: what was left out.
            notes: what was put right.

        Raises:
            DataError: everything was left out.
        """
        if not self._references and bad.messages:
            raise DataError(
                f"There is no usable record: {len(bad.messages)} are bad. The first of them: "
                f"{bad.messages[0]}"
            )
        return References.from_columns(self.columns, bad.messages, notes)


def has_word(expression: str) -> bool:
    """Whether a sentence has a letter or a digit at all."""
    return any(character.isalnum() for character in expression)
