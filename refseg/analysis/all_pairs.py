"""Every two models of a comparison against each other."""

from collections.abc import Mapping
from itertools import combinations

from refseg.analysis.comparison import Gain, Runs
from refseg.analysis.seeds import seed_noise
from refseg.evaluation.bootstrap import RESAMPLES, differences, holm
from refseg.evaluation.sums import OVERALL_IOU, image_sums

AllPairs = Mapping[tuple[str, str], Gain]
"""How much higher the figure of one model is than that of another, for every two models, the one
that was named first first."""

_SWAPS_OF_A_PAIR = 200  # the least p-value after a correction over all pairs is 0.005, or less


def compare_all_pairs(
    runs: Runs, metric: str = OVERALL_IOU, resamples: int = RESAMPLES, seed: int = 0
) -> AllPairs:
    """Compare every two models over a whole split.

    Each p-value is the larger one of that over images and, where there are several seeds, that over
    seeds; after Holm's correction over all pairs, since a reader looks for any difference
    among them.

    Args:
        runs: the results of each model in one split, paired by `pair_runs`.
        metric: to compare.
        resamples: draws of images, and swaps of models; of many models more are taken, so that a
            clear difference stays clear after the correction.
        seed: of both.

    Raises:
        ConfigError: there is no such metric.
        DataError: there are no expressions.
    """
    names = list(combinations(runs, 2))
    resamples = max(resamples, _SWAPS_OF_A_PAIR * len(names))
    of_seeds = {name: image_sums(t, [metric]).figures().tolist() for name, t in runs.items()}
    gains = {}
    for one, other in names:
        (difference,) = differences(runs[one], runs[other], [metric], resamples, seed)
        noise = seed_noise(of_seeds[one], of_seeds[other], list(of_seeds.values()))
        gains[one, other] = Gain(difference, noise)
    p_values = holm([gain.raw_p_value for gain in gains.values()])
    return {
        pair: gain._replace(adjusted=p_value)
        for (pair, gain), p_value in zip(gains.items(), p_values, strict=True)
    }


def reversed_gain(gain: Gain) -> Gain:
    """The same difference as the other model sees it.

    Args:
        gain: of `compare_all_pairs`, which has nothing of breakdowns in it.
    """
    value, low, high, p_value = gain.difference
    difference = gain.difference._replace(value=-value, low=-high, high=-low, p_value=p_value)
    noise = gain.noise
    if noise is not None:
        noise = noise._replace(low=-noise.high, high=-noise.low)
    return gain._replace(difference=difference, noise=noise)


def gain_over(pairs: AllPairs, one: str, other: str) -> Gain:
    """How much higher the figure of one model is than that of another, in either order.

    Args:
        pairs: all of them.
        one: name of a model.
        other: name of another.
    """
    return pairs[one, other] if (one, other) in pairs else reversed_gain(pairs[other, one])
