"""How much each parameter of a sweep matters for a metric."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from refseg.sweeps.distributions import is_number

_FEWEST = 4  # runs; with fewer, chance alone explains a third or more


class Importance(NamedTuple):
    """What a parameter explains of the order of the runs.

    Args:
        parameter: its name.
        measure: `rank correlation` or `correlation ratio`.
        share: of the variance of the metric's ranks that the parameter explains, in [0, 1].
        by_chance: what a parameter without any effect explains on average.
        correlation: of the ranks, in [-1, 1]: above 0 the metric rises with the parameter; None for
            a parameter whose values have no order.
        runs: how many there are.
    """

    parameter: str
    measure: str
    share: float
    by_chance: float
    correlation: float | None
    runs: int


def importance(
    combinations: Sequence[Mapping[str, Any]], values: Sequence[float], parameters: Sequence[str]
) -> list[Importance]:
    """What each parameter explains of a metric, the most important one first.

    Where a parameter is a number, it is the square of Spearman's rank correlation; else, for the
    name of a file, say, the correlation ratio of the ranks: the variance between its values over
    the whole variance. Both are shares of the same variance, so that they can be compared.

    Why not a random forest: a sweep has a dozen runs, of which a forest learns chance by heart.
    This needs no library, can be checked by hand, and what it is by chance alone is known:
    1 / (n - 1) for n runs, and (k - 1) / (n - 1) for k values without order. It has one blind spot:
    with the best value in the middle of a range, the metric neither rises nor falls. The plot shows
    that.

    Args:
        combinations: the parameters' values in each run.
        values: the metric of each run.
        parameters: which to ask about. One without two values, or a metric without, is left out.

    Example:
        >>> runs = [{"lr": lr, "flip": lr > 0.02} for lr in (0.1, 0.01, 0.03, 0.003)]
        >>> for found in importance(runs, [0.9, 0.5, 0.6, 0.4], ["lr", "flip"]):
        ...     print(found.parameter, found.measure, round(found.share, 2))
        lr rank correlation 1.0
        flip correlation ratio 0.8
    """
    if len(values) < _FEWEST or len(set(values)) < 2:
        return []
    found = []
    for name in parameters:
        own = [combination[name] for combination in combinations]
        different = len({repr(value) for value in own})
        if different < 2:
            continue
        count = len(values)
        if all(is_number(value) for value in own):
            rho = _correlation(ranks([float(value) for value in own]), ranks(values))
            by_chance = 1 / (count - 1)
            found.append(Importance(name, "rank correlation", rho**2, by_chance, rho, count))
        else:
            share = _correlation_ratio([repr(value) for value in own], ranks(values))
            by_chance = (different - 1) / (count - 1)
            found.append(Importance(name, "correlation ratio", share, by_chance, None, count))
    return sorted(found, key=lambda one: one.by_chance - one.share)


def ranks(values: Sequence[float]) -> list[float]:
    """The place of each value among all, from 1; equal ones share the mean of their places.

    Example:
        >>> ranks([0.3, 0.1, 0.3, 0.7])
        [2.5, 1.0, 2.5, 4.0]
    """
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered, 1)))}
    last = {value: place for place, value in enumerate(ordered, 1)}
    return [(first[value] + last[value]) / 2 for value in values]


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    centre, other_centre = mean(first), mean(second)
    together = sum((a - centre) * (b - other_centre) for a, b in zip(first, second, strict=True))
    return together / math.sqrt(_spread(first) * _spread(second))


def _correlation_ratio(categories: Sequence[str], values: Sequence[float]) -> float:
    groups: dict[str, list[float]] = {}
    for category, value in zip(categories, values, strict=True):
        groups.setdefault(category, []).append(value)
    centre = mean(values)
    between = sum(len(group) * (mean(group) - centre) ** 2 for group in groups.values())
    return between / _spread(values)


def _spread(values: Sequence[float]) -> float:
    centre = mean(values)
    return sum((value - centre) ** 2 for value in values)
