"""The noise of the seeds: how far runs of one model lie apart, and what that means for another."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev, variance
from typing import NamedTuple

from scipy import stats

from refseg.analysis.bootstrap import LEVEL

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


def seed_noise(first: Sequence[float], second: Sequence[float]) -> SeedNoise | None:
    """Compare two models by the figures of their seeds: Welch's t-test.

    It takes the images as given, where the bootstrap takes the seeds as given: a difference that
    shall hold for other images and other seeds must pass both.

    Args:
        first: a figure of each seed of one model.
        second: the same figure of the other model's seeds.

    Returns:
        None where one has fewer than two seeds, or where no seed differs from another.

    References:
        B. L. Welch, "The generalization of Student's problem when several different population
        variances are involved", Biometrika 34, 1947.

    Example:
        >>> noise = seed_noise([0.52, 0.50, 0.54], [0.51, 0.49, 0.50])
        >>> f"p = {noise.p_value:.2f}, {noise.low:+.3f} to {noise.high:+.3f}"
        'p = 0.22, -0.022 to +0.062'
    """
    if min(len(first), len(second)) < 2:
        return None
    one, other = variance(first) / len(first), variance(second) / len(second)
    if one + other < _NOTHING:
        return None
    degrees = (one + other) ** 2 / (one**2 / (len(first) - 1) + other**2 / (len(second) - 1))
    error = sqrt(one + other)
    difference = fmean(first) - fmean(second)
    reach = error * float(stats.t.ppf((1 + LEVEL) / 2, degrees))
    p_value = 2 * float(stats.t.sf(abs(difference) / error, degrees))
    return SeedNoise(difference - reach, difference + reach, p_value)
