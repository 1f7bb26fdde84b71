"""Where a model is good: figures by length, size, category, distractors and kinds of words."""

from typing import Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Shaped

from refseg.data.flips import SIDE_WORDS
from refseg.data.statistics.bins import (
    COCO_AREA_BINS,
    FEW_DISTRACTOR_BINS,
    LENGTH_BINS,
    SHARE_BINS,
    SIZE_BINS,
    Bins,
    length_bins,
)
from refseg.data.statistics.words import words_of
from refseg.errors import ConfigError, DataError
from refseg.evaluation.bootstrap import bootstrap_each
from refseg.evaluation.sums import MEAN_IOU, OVERALL_IOU, PRECISION, column

By = Literal["length", "size", "category", "distractors", "words"]
BREAKDOWNS: tuple[By, ...] = get_args(By)

AUTOMATIC = "auto"
LENGTH_CHOICES = (AUTOMATIC, *LENGTH_BINS)
SIZE_CHOICES = ("share", "fine", "coco")

_METRICS = (OVERALL_IOU, MEAN_IOU, f"{PRECISION}0.5")
_UNKNOWN = "unknown"
_NOTHING = "names nothing"


class Grouping(NamedTuple):
    """Which groups expressions are put into.

    Args:
        lengths: groups of the number of words: `gref`, `unc`, `referit` (the RMI paper's) or
            `shapes`; `auto` takes those of the data set.
        sizes: groups of the size of the object. `share`: small below 3 % of the image, large from
            10 %; `fine`: borders at 1, 3, 10 and 30 %; `coco`: borders at 32² and 96² pixels.
        categories: so many of the most frequent ones have a group each, the others share one.
    """

    lengths: str = AUTOMATIC
    sizes: str = "share"
    categories: int = 15


class Group(NamedTuple):
    """Some of the expressions.

    Args:
        label: what tables call them.
        rows: True at those that belong to it.
    """

    label: str
    rows: Bool[np.ndarray, " expressions"]


def groups(table: pa.Table, by: By, grouping: Grouping | None = None) -> list[Group]:
    """Put expressions into groups; those without an expression are left out.

    By `words` an expression may belong to several groups, else to exactly one.

    Args:
        table: results of a run.
        by: what tells groups apart.
        grouping: which groups there are.

    Raises:
        ConfigError: there is no such breakdown or grouping.
        DataError: lengths of several data sets are counted in different groups.
    """
    grouping = grouping or Grouping()
    if by == "length":
        found = _binned(column(table, "words"), _length_bins(table, grouping.lengths))
    elif by == "size":
        found = _sizes(table, grouping.sizes)
    elif by == "category":
        found = _categories(table, grouping.categories)
    elif by == "distractors":
        found = _distractors(table)
    elif by == "words":
        found = _word_kinds(table)
    else:
        raise ConfigError(f"Unknown breakdown '{by}'; choose one of {', '.join(BREAKDOWNS)}.")
    return [group for group in found if group.rows.any()]


def breakdown(
    table: pa.Table,
    by: By,
    grouping: Grouping | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """The figures of a run, group by group.

    Args:
        table: results of a run, of one split.
        by: what tells groups apart.
        grouping: which groups there are.
        resamples: draws of images, for the interval.
        seed: of the draws.

    Returns:
        A row for each group: `group`, `expressions`, `overall_iou`, `mean_iou`, `precision@0.5`,
        and `low` and `high`, the 95 % interval of the overall IoU by bootstrap over images.

    Raises:
        ConfigError: there is no such breakdown or grouping.
        DataError: lengths of several data sets are counted in different groups.
    """
    rows = []
    for label, chosen in groups(table, by, grouping):
        figures = bootstrap_each(
            [table.filter(pa.array(chosen))], _METRICS, resamples=resamples, seed=seed
        )
        values = {metric: figure.value for metric, figure in zip(_METRICS, figures, strict=True)}
        ends = {"low": figures[0].low, "high": figures[0].high}
        rows.append({"group": label, "expressions": int(chosen.sum()), **values, **ends})
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [("group", pa.string()), ("expressions", pa.int64())]
    + [(name, pa.float64()) for name in (*_METRICS, "low", "high")]
)


def _binned(values: Shaped[np.ndarray, " expressions"], bins: Bins) -> list[Group]:
    index = bins.index(values)
    return [Group(label, index == place) for place, label in enumerate(bins.labels)]


def _length_bins(table: pa.Table, lengths: str) -> Bins:
    if lengths in LENGTH_BINS:
        return LENGTH_BINS[lengths]
    if lengths != AUTOMATIC:
        raise ConfigError(
            f"Unknown groups of lengths '{lengths}'; choose one of {', '.join(LENGTH_CHOICES)}."
        )
    sources = [str(source) for source in pc.unique(table["source"].cast(pa.string())).to_pylist()]
    of_sources = {source: length_bins(source.partition(" ")[0]) for source in sources}
    if len(set(of_sources.values())) > 1:
        raise DataError(
            f"Lengths are counted in other groups for each of {', '.join(sources)}; choose one "
            f"with `--lengths {'|'.join(LENGTH_BINS)}`, or one split with `--splits`."
        )
    return next(iter(of_sources.values()))


def _sizes(table: pa.Table, sizes: str) -> list[Group]:
    area, share = column(table, "area"), column(table, "object_size")
    if sizes == "coco":
        found = _binned(area, COCO_AREA_BINS)
    elif sizes in SIZE_CHOICES:
        found = _binned(share, SHARE_BINS if sizes == "fine" else SIZE_BINS)
    else:
        raise ConfigError(
            f"Unknown groups of sizes '{sizes}'; choose one of {', '.join(SIZE_CHOICES)}."
        )
    nothing = area == 0
    visible = [Group(label, rows & ~nothing) for label, rows in found]
    return [*visible, Group(_NOTHING, nothing)]


def _categories(table: pa.Table, most: int) -> list[Group]:
    """The most frequent first; equally frequent ones by name."""
    texts = table["category"]
    absent = pc.if_else(pc.equal(table["area"], 0), _NOTHING, _UNKNOWN)
    names = pc.coalesce(texts, absent).combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    labels = names.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(labels)).tolist()
    order = sorted(range(len(labels)), key=lambda code: (-counts[code], labels[code]))
    found = [Group(labels[code], codes == code) for code in order[:most]]
    others = order[most:]
    return [*found, Group(f"{len(others)} others", np.isin(codes, others))]


def _distractors(table: pa.Table) -> list[Group]:
    unknown = -1
    values = pc.fill_null(table["distractors"], unknown).to_numpy()
    known = values != unknown
    found = [Group(label, rows & known) for label, rows in _binned(values, FEW_DISTRACTOR_BINS)]
    nothing = ~known & (column(table, "area") == 0)
    return [*found, Group(_UNKNOWN, ~known & ~nothing), Group(_NOTHING, nothing)]


def _word_kinds(table: pa.Table) -> list[Group]:
    """The kinds overlap; those that speak of the left or the right are a part of the first."""
    kinds = {
        kind: pc.fill_null(table[f"{kind}_words"], False).to_numpy()
        for kind in ("position", "attribute", "relation")
    }
    without = ~np.logical_or.reduce(list(kinds.values()))
    words = words_of(table["expression"].to_pylist())
    is_side = np.isin(words.vocabulary, sorted(SIDE_WORDS))
    sides = words.any_of(is_side[words.codes])
    return [
        Group("position", kinds["position"]),
        Group("left or right", sides),
        Group("attribute", kinds["attribute"]),
        Group("relation", kinds["relation"]),
        Group("none of these", without),
    ]
