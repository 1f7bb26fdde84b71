"""Groups the lines of one's own table into references: lines with one mask name one object."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from refseg.data.readers.builder import Sentence, TableBuilder
from refseg.data.readers.records import BadRecords
from refseg.errors import DataError
from refseg.masks import empty
from refseg.types import RunLengths

MOST_EXPRESSIONS = 1000
"""Of a line, and of an id; places in a list have three digits in the ids of expressions."""


class FolderLine(NamedTuple):
    """A line of the table, checked.

    Args:
        record: file and line, for messages.
        number: of the record, from 1.
        own_id: its `id`, or None where the table leaves it to us.
        expressions: as typed, at least one.
        image_id: of its image.
        image_path: of its image.
        mask: in the image's size.
        split: its name.
        category: of the object, or None.
    """

    record: str
    number: int
    own_id: int | None
    expressions: Sequence[str]
    image_id: int
    image_path: str
    mask: RunLengths
    split: str
    category: str | None


@dataclass
class _Reference:
    first: FolderLine
    reference_id: int
    annotation_id: int
    category: str | None
    sentences: list[Sentence] = field(default_factory=list)


class FolderReferences:
    """Collects lines: those with the same image and mask are expressions of one reference.

    Lines with different ids stay references of their own, to the same object. Lines that name
    nothing have no object in common: each is a reference.

    Args:
        has_places: whether an id stands for several expressions, so that the id of an expression
            is 1000 times its own, plus its place.
    """

    def __init__(self, has_places: bool) -> None:
        self._step = MOST_EXPRESSIONS if has_places else 1
        self._references: dict[int, _Reference] = {}
        self._objects: dict[tuple[str, RunLengths], _Reference] = {}
        self._places: dict[int, int] = {}

    def add(self, line: FolderLine) -> None:
        """Take a line, or, where it is bad, nothing of it.

        Raises:
            DataError: its id belongs to another mask, or what it says of its object is not what
                an earlier line says.
        """
        height, width, _ = line.mask
        known = None
        if line.mask != empty(height, width):
            known = self._objects.get((line.image_path, line.mask))
        if known is not None:
            _check_agreement(line, known)
        reference = self._reference_of(line, known)
        sentences = self._sentences(line)
        if reference is None:
            reference_id = line.number if line.own_id is None else line.own_id
            object_id = reference_id if known is None else known.annotation_id
            reference = _Reference(line, reference_id, object_id, line.category)
            self._references[reference_id] = reference
            self._objects.setdefault((line.image_path, line.mask), reference)
        reference.category = reference.category or line.category
        reference.sentences += sentences

    def _reference_of(self, line: FolderLine, known: _Reference | None) -> _Reference | None:
        """The reference that the line belongs to, or None if it begins one."""
        if line.own_id is None and known is not None:
            return known
        reference_id = line.number if line.own_id is None else line.own_id
        found = self._references.get(reference_id)
        if found is None:
            return None
        is_same = (line.image_path, line.mask) == (found.first.image_path, found.first.mask)
        if line.own_id is None or not is_same:
            raise DataError(
                f"{line.record}: its reference id {reference_id} occurs twice, as {_short(found)} "
                "has it with another image or mask; give each object an id of its own, or leave "
                "the column out."
            )
        _check_agreement(line, found)
        return found

    def _sentences(self, line: FolderLine) -> list[Sentence]:
        own = line.number if line.own_id is None else line.own_id
        place = self._places.get(own, 0)
        if place + len(line.expressions) > self._step:
            if self._step > 1:
                raise DataError(
                    f"{line.record}: its id {own} has more than {MOST_EXPRESSIONS} expressions."
                )
            raise DataError(f"{line.record}: its expression id {own} occurs twice.")
        self._places[own] = place + len(line.expressions)
        return [
            Sentence(own * self._step + number, raw.strip(), raw)
            for number, raw in enumerate(line.expressions, place)
        ]

    def build(self, table: TableBuilder, bad: BadRecords) -> None:
        """Add all references to a table, in the order of their first lines."""
        for reference in self._references.values():
            first = reference.first
            names_nothing = first.mask == empty(first.mask.height, first.mask.width)
            with bad.guard():
                table.add(
                    first.record,
                    reference.reference_id,
                    reference.sentences,
                    annotation_ids=[] if names_nothing else [reference.annotation_id],
                    category_ids=[],
                    category=reference.category,
                    image_id=first.image_id,
                    split=first.split,
                    image_path=first.image_path,
                    mask=first.mask,
                )


def _check_agreement(line: FolderLine, known: _Reference) -> None:
    if line.split != known.first.split:
        raise DataError(
            f"{line.record}: its object is in the split {line.split!r} here and in "
            f"{known.first.split!r} in {_short(known)}, which has the same mask; expected all "
            "expressions of an object in one split."
        )
    if line.category and known.category and line.category != known.category:
        raise DataError(
            f"{line.record}: its object is of the category {line.category!r} here and "
            f"{known.category!r} in {_short(known)}, which has the same mask; expected one."
        )


def _short(reference: _Reference) -> str:
    """The line number of a reference, for a message that names the file already."""
    return reference.first.record.rpartition(", ")[2]
