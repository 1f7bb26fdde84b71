"""Computes the statistics of a data set from its table of references."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, Shaped

from refseg.data.objects import Objects
from refseg.data.references import References
from refseg.data.statistics.bins import COCO_AREA_BINS, DISTRACTOR_BINS, SHARE_BINS, Bins
from refseg.data.statistics.objects import (
    UNKNOWN,
    areas,
    distractors,
    first_rows,
    flat,
    image_shares,
    names_something,
)
from refseg.data.statistics.summary import (
    DatasetStatistics,
    Distribution,
    SplitStatistics,
    Vocabulary,
)
from refseg.data.statistics.words import words_of

FREQUENT_WORDS = 30
"""So many of the most frequent words are kept."""


def summarise(
    references: References,
    bins: Bins,
    objects: Objects | None = None,
    training: Sequence[str] = ("train",),
) -> DatasetStatistics:
    """Compute the statistics of a data set, for each split and for all splits together.

    Args:
        references: all splits of one data set.
        bins: groups of the lengths of expressions, see `length_bins`.
        objects: all annotated objects, for the number of distractors.
        training: splits whose words are the known ones; those that the data set lacks are ignored.

    Raises:
        DataError: a mask is damaged.
    """
    columns = _Columns(references, bins, objects, training)
    return DatasetStatistics(
        source=references.source,
        splits={name: columns.summary(columns.rows_of([name])) for name in references.splits},
        together=columns.summary(np.ones(len(references), bool), compare=False),
        length_bins=bins,
        distractors_from_all=objects is not None,
    )


class _Columns:
    """Columns that are computed once and then summed for each split."""

    def __init__(
        self,
        references: References,
        bins: Bins,
        objects: Objects | None,
        training: Sequence[str],
    ) -> None:
        self.references, self.bins = references, bins
        self.names = {} if objects is None else objects.categories
        self.expression_ids = references.table["expression_id"].to_numpy()
        self.image_codes = np.unique(_codes(references, "image_path"), return_inverse=True)[1]
        self.is_first = np.zeros(len(references), bool)
        self.is_first[first_rows(references)] = True
        self.is_box = np.asarray(pc.equal(references.table["mask_kind"], "box"))
        self.names_something = names_something(references)
        self.areas = areas(references)
        self.shares = image_shares(references)
        self.distractors = distractors(references, objects)
        self.category_rows, self.category_ids = flat(references, "category_ids")
        self.words = words_of(references.expressions.to_pylist())
        self.kinds = self.words.kinds()
        known = [name for name in training if name in references.splits]
        self.has_training = bool(known)
        seen = self.words.counts(self.rows_of(known)) > 0
        self.is_unknown = ~seen[self.words.codes]
        self.has_unknown = self.words.any_of(self.is_unknown)

    def rows_of(self, splits: Sequence[str]) -> Bool[np.ndarray, " rows"]:
        """Which rows belong to one of the splits."""
        if not splits:
            return np.zeros(len(self.references), bool)
        chosen = self.references.split(splits).table["expression_id"].to_numpy()
        return np.isin(self.expression_ids, chosen)

    def summary(self, rows: Bool[np.ndarray, " rows"], compare: bool = True) -> SplitStatistics:
        """The numbers of some rows.

        Args:
            rows: True at those that count.
            compare: count the words that the training splits do not have.
        """
        references = rows & self.is_first
        visible = references & self.names_something
        compared = references & (self.distractors != UNKNOWN)
        return SplitStatistics(
            expressions=int(rows.sum()),
            references=int(references.sum()),
            images=len(np.unique(self.image_codes[rows])),
            without_object=int((rows & ~self.names_something).sum()),
            boxes=int((references & self.is_box).sum()),
            words=_distribution(self.words.lengths[rows], self.bins),
            vocabulary=self._vocabulary(rows, compare and self.has_training),
            kinds={kind: _share(has[rows]) for kind, has in self.kinds.items()},
            shares=_distribution(self.shares[visible], SHARE_BINS),
            areas=_distribution(self.areas[visible], COCO_AREA_BINS),
            distractors=_distribution(self.distractors[compared], DISTRACTOR_BINS),
            categories=self._categories(references),
            frequent=self._frequent(rows),
        )

    def _vocabulary(self, rows: Bool[np.ndarray, " rows"], compare: bool) -> Vocabulary:
        counts = self.words.counts(rows)
        used = counts[counts > 0]
        unknown, unknown_in = float("nan"), float("nan")
        if compare:
            unknown = _share(self.is_unknown[np.repeat(rows, self.words.lengths)])
            unknown_in = _share(self.has_unknown[rows])
        return Vocabulary(len(used), _share(used == 1), unknown, unknown_in)

    def _frequent(self, rows: Bool[np.ndarray, " rows"]) -> dict[str, int]:
        counts = self.words.counts(rows)
        order = np.argsort(-counts, kind="stable")[:FREQUENT_WORDS]
        return {self.words.vocabulary[word]: int(counts[word]) for word in order if counts[word]}

    def _categories(self, references: Bool[np.ndarray, " rows"]) -> dict[str, int]:
        """A reference to several objects of a class counts once for that class."""
        chosen = references[self.category_rows]
        if not chosen.any():
            return {}
        pairs = np.unique(np.stack([self.category_rows[chosen], self.category_ids[chosen]]), axis=1)
        ids, counts = np.unique(pairs[1], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {
            self.names.get(number, f"class {number}"): count
            for number, count in zip(ids[order].tolist(), counts[order].tolist(), strict=True)
        }


def _distribution(values: Shaped[np.ndarray, " values"], bins: Bins) -> Distribution:
    if not len(values):
        nothing = float("nan")
        return Distribution(0, nothing, nothing, nothing, (0,) * len(bins.labels))
    return Distribution(
        len(values),
        float(values.mean()),
        float(np.median(values)),
        float(values.max()),
        tuple(bins.counts(values).tolist()),
    )


def _share(flags: Bool[np.ndarray, " flags"]) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _codes(references: References, column: str) -> Int64[np.ndarray, " rows"]:
    if not len(references):
        return np.zeros(0, np.int64)
    (chunk,) = references.table[column].chunks
    return chunk.indices.to_numpy(zero_copy_only=False).astype(np.int64)
