"""Intervals and p-values: how far a figure, or a difference of two runs, may be due to chance."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float64
from scipy import stats

from refseg.evaluation.draws import bootstrap_figures, swap_differences, two_sided
from refseg.evaluation.sums import OVERALL_IOU, Unit, image_sums, stack

LEVEL = 0.95
"""Of all intervals."""

RESAMPLES = 10_000
"""Draws, where nobody asks for another number: p-values down to 1/10,001."""


class Interval(NamedTuple):
    """A figure with its 95 % interval.

    Args:
        value: over all expressions.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """How much higher the first figure is than the second.

    Args:
        value: first minus second.
        low: lower end of the 95 % interval.
        high: upper end.
        p_value: how likely a difference of this size is, either way, where there is none.
    """

    value: float
    low: float
    high: float
    p_value: float


def bootstrap(
    table: pa.Table | Sequence[pa.Table],
    metric: str = OVERALL_IOU,
    by: Unit = "image",
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Give a figure its 95 % interval, by drawing images anew.

    Args:
        table: results of one run; or of runs with several seeds, on the same expressions in the
            same order, whose mean is meant.
        metric: `overall_iou`, `mean_iou` or `precision@X`.
        by: what is drawn. Single expressions give intervals that are too narrow.
        resamples: number of draws.
        seed: of the draws.

    Raises:
        ConfigError: the metric is unknown.
        DataError: there are no expressions.
    """
    tables = [table] if isinstance(table, pa.Table) else list(table)
    return bootstrap_each(tables, [metric], by, resamples, seed)[0]


def bootstrap_each(
    tables: Sequence[pa.Table],
    metrics: Sequence[str],
    by: Unit = "image",
    resamples: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Like `bootstrap`, for several metrics over the same draws."""
    sums = image_sums(tables, metrics, by)
    shape = len(metrics), len(tables)
    values = sums.figures().reshape(shape).mean(axis=1)
    replicates = bootstrap_figures(sums, resamples, seed).reshape(-1, *shape).mean(axis=2)
    return [
        Interval(float(value), *interval(replicates[:, place], sums.images))
        for place, value in enumerate(values)
    ]


def differences(
    first: Sequence[pa.Table],
    second: Sequence[pa.Table],
    metrics: Sequence[str] = (OVERALL_IOU,),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Compare two models on the same expressions: paired bootstrap and paired permutation test.

    The interval comes from drawing images anew, the same for both; the p-value from swapping the
    two models in random images. Of several seeds the means are compared. Their noise is not in
    here: see `refseg.analysis.seeds`.

    Args:
        first: results of one model, a table for each seed.
        second: results of the other, on the same expressions in the same order.
        metrics: to compare.
        resamples: number of draws, and of swaps.
        seed: of both.

    Raises:
        ConfigError: a metric is unknown.
        DataError: there are no expressions.
    """
    # Seeds are swapped in pairs; where there are 3 and 2 of them, each with each.
    pairs = math.lcm(len(first), len(second))
    one, other = (
        image_sums([tables[place % len(tables)] for place in range(pairs)], metrics)
        for tables in (first, second)
    )
    shape = len(metrics), pairs
    values = (one.figures() - other.figures()).reshape(shape).mean(axis=1)
    drawn = bootstrap_figures(stack([one, other]), resamples, seed)
    drawn = drawn.reshape(-1, 2, *shape).mean(axis=3)
    swapped, exact = swap_differences(one, other, resamples, seed)
    swapped = swapped.reshape(-1, *shape).mean(axis=2)
    return [
        Difference(
            float(value),
            *interval(drawn[:, 0, place] - drawn[:, 1, place], one.images),
            two_sided(swapped[:, place], float(value), exact),
        )
        for place, value in enumerate(values)
    ]


def interval(replicates: Float64[np.ndarray, " resamples"], images: int) -> tuple[float, float]:
    """The ends of the 95 % interval of a figure, from its values over drawn images.

    Quantiles of the draws, a little further out for few images, where plain ones are too narrow
    (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69,
    2015, section 5.3, "expanded percentile interval"). Fewer than six have none, but NaN: no draw
    lies beyond the highest and the lowest image, and in more than 5 % of all cases the truth does.

    Args:
        replicates: the figure, draw by draw.
        images: how many there are to draw from.
    """
    if 2.0 ** (1 - images) > 1 - LEVEL:
        return math.nan, math.nan
    tail = float(stats.t.ppf((1 - LEVEL) / 2, images - 1)) * math.sqrt(images / (images - 1))
    share = NormalDist().cdf(tail)
    low, high = np.quantile(replicates, [share, 1 - share])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Raise p-values that belong to one question, so that they may be read one by one.

    With this the chance of any false alarm among them is at most the threshold, however they
    depend on each other (S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
    Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: of all groups of a breakdown.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
