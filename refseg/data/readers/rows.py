"""From the references of the REFER family, each with its sentences, to the rows of the table."""

import re
from pathlib import Path

from refseg.data.readers.records import BadRecords, get, get_text
from refseg.data.references import SCHEMA, SPLIT_SEPARATOR, References
from refseg.errors import DataError
from refseg.types import RunLengths

_COMBINED = re.compile("test([A-Z]{2,})")


class Rows:
    """Collects one row per sentence, and refuses ids that occur twice.

    Args:
        source: how messages name the data set, such as `refcoco (unc)`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
        self._reference_ids: set[int] = set()
        self._expression_ids: set[int] = set()

    def add(
        self,
        ref: object,
        record: str,
        *,
        annotation_ids: list[int],
        category_ids: list[int],
        image_id: int,
        image_path: Path,
        mask: RunLengths,
    ) -> None:
        """Add the sentences of one reference.

        Args:
            ref: the reference as it is published.
            record: how messages name it.
            annotation_ids: of the objects that it names.
            category_ids: their classes.
            image_id: of its image.
            image_path: where the image should be.
            mask: of its objects together.

        Raises:
            DataError: a key is missing, a sentence is empty, or an id occurs twice.
        """
        reference_id = get(ref, "ref_id", int, record)
        if reference_id in self._reference_ids:
            raise DataError(f"{record}: this ref_id occurs twice.")
        same_for_all = {
            "source": self.source,
            "reference_id": reference_id,
            "annotation_ids": annotation_ids,
            "category_ids": category_ids,
            "image_id": image_id,
            "split": _splits(get_text(ref, "split", record), record),
            "image_path": str(image_path),
            "height": mask.height,
            "width": mask.width,
            "rle": mask.counts,
            "mask_kind": "mask",
        }
        rows = [same_for_all | sentence for sentence in self._sentences(ref, record)]
        self._reference_ids.add(reference_id)
        for row in rows:
            for name, value in row.items():
                self._columns[name].append(value)

    def table(self, bad: BadRecords) -> References:
        """The table of all rows.

        Args:
            bad: what was left out.

        Raises:
            DataError: nothing else was left.
        """
        if not self._reference_ids and bad.messages:
            raise DataError(
                f"{self.source} has no usable reference: {len(bad.messages)} records are bad. The "
                f"first of them: {bad.messages[0]}"
            )
        return References.from_columns(self._columns, skipped=bad.messages)

    def _sentences(self, ref: object, record: str) -> list[dict[str, object]]:
        sentences = get(ref, "sentences", list, record)
        if not sentences:
            raise DataError(f"{record}: it has no sentence.")
        rows: list[dict[str, object]] = []
        for sentence in sentences:
            expression_id = get(sentence, "sent_id", int, record)
            if expression_id in self._expression_ids:
                raise DataError(f"{record}: the sent_id {expression_id} occurs twice.")
            self._expression_ids.add(expression_id)
            expression = get_text(sentence, "sent", record)
            if not any(character.isalnum() for character in expression):
                raise DataError(
                    f"{record}: its sentence {expression_id} has no word: {expression[:60]!r}."
                )
            raw = get_text(sentence, "raw", record)
            rows.append({"expression_id": expression_id, "expression": expression, "raw": raw})
        return rows


def record_name(path: Path, ref: object, position: int) -> str:
    """How messages name a reference: by its id, or by its place in the file where it has none."""
    ref_id = ref.get("ref_id") if isinstance(ref, dict) else None
    return f"{path}, ref_id {ref_id}" if type(ref_id) is int else f"{path}, record {position}"


def _splits(published: str, record: str) -> str:
    """The elementary splits of a published name: RefCLEF's `testAB` is testA and testB."""
    if not published.strip() or SPLIT_SEPARATOR in published:
        raise DataError(f"{record}: expected the name of a split, got {published[:60]!r}.")
    combined = _COMBINED.fullmatch(published)
    names = [f"test{letter}" for letter in combined[1]] if combined else [published]
    return SPLIT_SEPARATOR.join(names)
