"""Columns about expressions that need no model, by which results are broken down."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from refseg.data.objects import Objects
from refseg.data.references import References
from refseg.data.statistics.objects import UNKNOWN, distractors, image_shares
from refseg.data.statistics.words import words_of

_KEPT = (
    *("expression_id", "reference_id", "annotation_ids", "category_ids", "image_id", "source"),
    *("expression", "image_path", "mask_kind", "height", "width"),
)


class ExpressionColumns:
    """Length, words, class, size and distractors of expressions, computed when asked for.

    Args:
        references: the expressions; ids are unique.
        objects: all annotated objects with the names of the classes, where the data set has them.
        all_references: those of all splits, among whose objects distractors are counted where
            there are no `objects`; `references` by default.
    """

    def __init__(
        self,
        references: References,
        objects: Objects | None = None,
        all_references: References | None = None,
    ) -> None:
        self.references = references
        self._names: Mapping[int, str] = {} if objects is None else objects.categories
        ids = references.table["expression_id"].to_numpy()
        self._order = np.argsort(ids)
        self._ids = ids[self._order]
        self._distractors = (
            _distractors_among(references, all_references or references)
            if objects is None
            else distractors(references, objects)
        )

    def rows(self, expression_ids: Int64[np.ndarray, " expressions"]) -> pa.Table:
        """A table with a row for each of some expressions; a few thousand keep memory small.

        Besides the ids and texts of `SCHEMA` the columns are `words` (their number),
        `position_words`, `attribute_words`, `relation_words` (whether there are any), `category`
        (null where a name is unknown; several are joined by ", "), `object_size` (share of the
        image's area), and `distractors` (other objects of the category in the image; null where
        their number cannot be known). Names of categories are those of `instances.json`, of
        PhraseCut's phrases, of COCO for the RefCOCO family from the hub, or of a column of one's
        own; ReferIt is published without.

        Args:
            expression_ids: of expressions that there are.

        Raises:
            DataError: a mask is damaged.
        """
        numbers = self._order[np.searchsorted(self._ids, expression_ids)]
        chosen = References(self.references.table.take(numbers))
        words = words_of(chosen.expressions.to_pylist())
        counts = self._distractors[numbers]
        columns = {name: _plain(chosen.table[name]) for name in _KEPT}
        columns |= {
            "words": pa.array(words.lengths, pa.int32()),
            "category": self._categories(chosen),
            "object_size": pa.array(image_shares(chosen)),
            "distractors": pa.array(counts, pa.int32(), mask=counts == UNKNOWN),
        }
        columns |= {f"{kind}_words": pa.array(has) for kind, has in words.kinds().items()}
        return pa.table(columns)

    def _categories(self, references: References) -> pa.Array:
        texts = []
        columns = (references.table[name].to_pylist() for name in ("category_ids", "category"))
        for ids, named in zip(*columns, strict=True):
            if named is not None:
                texts.append(named)
                continue
            found = [self._names.get(number) for number in dict.fromkeys(ids)]
            names = [name for name in found if name is not None]
            texts.append(", ".join(names) if names and len(names) == len(found) else None)
        return pa.array(texts, pa.string())


def _distractors_among(
    references: References, everything: References
) -> Int64[np.ndarray, " expressions"]:
    """Distractors among the objects that any expression of the data set names."""
    ids = everything.table["expression_id"].to_numpy()
    order = np.argsort(ids)
    places = np.searchsorted(ids[order], references.table["expression_id"].to_numpy())
    return distractors(everything, None)[order[places]]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary column with only the values that occur in it."""
    if not pa.types.is_dictionary(column.type):
        return column
    return column.cast(column.type.value_type).dictionary_encode()
