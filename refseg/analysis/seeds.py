"""The noise of the seeds: how far runs of one model lie apart, and what that means for another."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev, variance
from typing import NamedTuple

from scipy import stats

from refseg.evaluation.bootstrap import LEVEL

_NOTHING = 1e-24  # variance of figures that are equal but for rounding


class SeedNoise(NamedTuple):
    """A difference of two means over seeds, measured by the spread of the seeds.

    Args:
        low: lower end of the 95 % interval of the difference.
        high: upper end.
        p_value: how likely a difference of this size is, where there is none.
    """

    low: float
    high: float
    p_value: float


def deviation(values: Sequence[float]) -> float | None:
    """The sample standard deviation (n - 1) over the seeds; None for fewer than two.

    Example:
        >>> round(deviation([0.52, 0.50, 0.54]), 6)
        0.02
    """
    return stdev(values) if len(values) > 1 else None


def seed_noise(
    first: Sequence[float], second: Sequence[float], models: Sequence[Sequence[float]] = ()
) -> SeedNoise | None:
    """Compare two models by the figures of their seeds.

    It takes the images as given, where the bootstrap takes the seeds as given: a difference that
    shall hold for other images and other seeds must pass both.

    Two models alone are compared by Welch's t-test, each with the spread of its own seeds. Two of
    three models and more are compared by the spread of the seeds of all of them together, as in an
    analysis of variance: three seeds alone tell too little of their spread for a difference to
    stand out after a correction over many pairs. That takes all models to spread alike.

    Args:
        first: a figure of each seed of one model.
        second: the same figure of the other model's seeds.
        models: the same of all models that are compared, these two among them.

    Returns:
        None where there are too few seeds (two of both models, or of three models and more two of
        any), or where no seed differs from another.

    References:
        B. L. Welch, "The generalization of Student's problem when several different population
        variances are involved", Biometrika 34, 1947. Y. Hochberg and A. C. Tamhane, "Multiple
        Comparison Procedures", 1987 (pooled variance).

    Example:
        >>> noise = seed_noise([0.52, 0.50, 0.54], [0.51, 0.49, 0.50])
        >>> f"p = {noise.p_value:.2f}, {noise.low:+.3f} to {noise.high:+.3f}"
        'p = 0.22, -0.022 to +0.062'
    """
    found = _pooled(first, second, models) if len(models) > 2 else _welch(first, second)
    if found is None:
        return None
    error, degrees = found
    difference = fmean(first) - fmean(second)
    reach = error * float(stats.t.ppf((1 + LEVEL) / 2, degrees))
    p_value = 2 * float(stats.t.sf(abs(difference) / error, degrees))
    return SeedNoise(difference - reach, difference + reach, p_value)


def _welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, float] | None:
    """The standard error of the difference, and its degrees of freedom."""
    if min(len(first), len(second)) < 2:
        return None
    one, other = variance(first) / len(first), variance(second) / len(second)
    if one + other < _NOTHING:
        return None
    degrees = (one + other) ** 2 / (one**2 / (len(first) - 1) + other**2 / (len(second) - 1))
    return sqrt(one + other), degrees


def _pooled(
    first: Sequence[float], second: Sequence[float], models: Sequence[Sequence[float]]
) -> tuple[float, float] | None:
    """The standard error of the difference, and its degrees of freedom."""
    several = [figures for figures in models if len(figures) > 1]
    degrees = float(sum(len(figures) - 1 for figures in several))
    squares = sum((len(figures) - 1) * variance(figures) for figures in several)
    if not degrees or squares / degrees < _NOTHING:
        return None
    return sqrt(squares / degrees * (1 / len(first) + 1 / len(second))), degrees
