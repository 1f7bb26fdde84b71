"""The numbers of a data set in rows, for the terminal and for the page alike."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from refseg.data.statistics import (
    COCO_AREA_BINS,
    DISTRACTOR_BINS,
    SHARE_BINS,
    Bins,
    DatasetStatistics,
    Distribution,
    SplitStatistics,
)

UNKNOWN = "–"
TOGETHER = "all"


class Block(NamedTuple):
    """Rows of one kind.

    Args:
        title: what they are about.
        rows: what is counted, and a text for each split.
    """

    title: str
    rows: list[tuple[str, list[str]]]


def chosen_splits(
    statistics: DatasetStatistics, names: Sequence[str] | None
) -> dict[str, SplitStatistics]:
    """The columns: the splits asked for, or all of them and what they are together."""
    if names is not None:
        return {name: statistics.splits[name] for name in names}
    if len(statistics.splits) == 1:
        return dict(statistics.splits)
    return {**statistics.splits, TOGETHER: statistics.together}


def blocks(statistics: DatasetStatistics, splits: Sequence[SplitStatistics]) -> list[Block]:
    """All numbers of some splits.

    Args:
        statistics: of the data set.
        splits: as `chosen_splits` gives them.
    """

    def row(label: str, cell: Callable[[SplitStatistics], str]) -> tuple[str, list[str]]:
        return label, [cell(split) for split in splits]

    def shares(
        bins: Bins, unit: str, of: Callable[[SplitStatistics], Distribution]
    ) -> list[tuple[str, list[str]]]:
        return [
            (f"{label}{unit}", [percent(group_shares(of(split))[place]) for split in splits])
            for place, label in enumerate(bins.labels)
        ]

    size = [
        row("expressions", lambda split: whole(split.expressions)),
        row("references", lambda split: whole(split.references)),
        row("images", lambda split: whole(split.images)),
        row("expressions per reference", lambda s: ratio(s.expressions, s.references)),
        row("references per image", lambda s: ratio(s.references, s.images)),
    ]
    if any(split.without_object for split in splits):
        size.append(row("expressions that name nothing", lambda s: whole(s.without_object)))
    if any(split.boxes for split in splits):
        size.append(row("boxes in place of masks", lambda split: whole(split.boxes)))
    all_objects = "in the image" if statistics.distractors_from_all else "among those referred to"
    distractors = Block(
        f"others of its class {all_objects}",
        [
            row("mean", lambda split: decimal(split.distractors.mean)),
            *shares(DISTRACTOR_BINS, "", lambda split: split.distractors),
        ],
    )
    return [
        Block("size", size),
        Block(
            "words in an expression",
            [
                row("mean", lambda split: decimal(split.words.mean)),
                row("median", lambda split: decimal(split.words.median)),
                row("longest", lambda split: whole(split.words.most)),
                *shares(statistics.length_bins, "", lambda split: split.words),
            ],
        ),
        Block(
            "vocabulary",
            [
                row("different words", lambda split: whole(split.vocabulary.size)),
                row("seen once", lambda split: percent(split.vocabulary.once)),
                row("words unknown to train", lambda s: percent(s.vocabulary.unknown_words, 2)),
                row(
                    "expressions with one",
                    lambda split: percent(split.vocabulary.unknown_expressions, 2),
                ),
            ],
        ),
        Block(
            "expressions with a word of",
            [
                row("position", lambda split: percent(split.kinds["position"])),
                row("attribute", lambda split: percent(split.kinds["attribute"])),
                row("relation", lambda split: percent(split.kinds["relation"])),
            ],
        ),
        Block(
            "area of the object in its image",
            [
                row("mean", lambda split: percent(split.shares.mean)),
                row("median", lambda split: percent(split.shares.median)),
                *shares(SHARE_BINS, "", lambda split: split.shares),
                *shares(COCO_AREA_BINS, " (COCO)", lambda split: split.areas),
            ],
        ),
        *([distractors] if distractors_known(splits) else []),
    ]


def distractors_known(splits: Iterable[SplitStatistics]) -> bool:
    """Whether the data set has classes at all, by which distractors are told."""
    return any(split.distractors.values for split in splits)


def group_shares(distribution: Distribution) -> list[float]:
    """The share of each group of the bins; NaN where there is nothing."""
    return [
        count / distribution.values if distribution.values else math.nan
        for count in distribution.counts
    ]


def whole(value: int | float) -> str:
    """A count."""
    return f"{value:,.0f}" if math.isfinite(value) else UNKNOWN


def decimal(value: int | float) -> str:
    """A mean."""
    return f"{value:,.2f}" if math.isfinite(value) else UNKNOWN


def percent(value: int | float, digits: int = 1) -> str:
    """A share."""
    return f"{100 * value:.{digits}f} %" if math.isfinite(value) else UNKNOWN


def ratio(value: int | float, by: int | float) -> str:
    """So many for each."""
    return decimal(value / by if by else math.nan)
