"""Whether a model gains more in some expressions than in all others."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64
from scipy import stats

from refseg.analysis.seeds import seed_noise
from refseg.evaluation.bootstrap import RESAMPLES, Difference, interval
from refseg.evaluation.draws import bootstrap_figures
from refseg.evaluation.sums import OVERALL_IOU, image_codes, image_sums, stack


def gain_beyond_others(
    first: Sequence[pa.Table],
    second: Sequence[pa.Table],
    rows: Bool[np.ndarray, " expressions"],
    metric: str = OVERALL_IOU,
    resamples: int = RESAMPLES,
    seed: int = 0,
    spread: Sequence[Sequence[float]] = (),
) -> Difference | None:
    """How much more the first model gains over the second in some rows than in all others.

    A gain that is significant in one group and not in another need not be larger there: that is
    a question of its own. Images are drawn anew; the p-value is that of the bootstrap or, with
    several seeds on both sides, that of their noise, if it is larger. A group that lies in a few
    of the images is as uncertain as these few make it.

    Args:
        first: results of one model, a table for each seed.
        second: results of the other, on the same expressions in the same order.
        rows: True in the group.
        metric: to compare.
        resamples: number of draws.
        seed: of the draws.
        spread: of three models and more, what `beyond_of_seeds` gives for each of them.

    Returns:
        The difference of the differences, or None where the group or the other rows lie in fewer
        than two images.
    """
    codes = image_codes(first[0])
    images = min(len(np.unique(codes[part])) for part in (rows, ~rows))
    if images < 2:
        return None
    everything = [*first, *second]
    sums = stack([image_sums(everything, [metric], rows=part) for part in (rows, ~rows)])

    def gain_there(figures: Float64[np.ndarray, "draws figures"]) -> Float64[np.ndarray, " draws"]:
        shaped = figures.reshape(-1, 2, len(everything))
        gain = shaped[:, :, : len(first)].mean(axis=2) - shaped[:, :, len(first) :].mean(axis=2)
        return gain[:, 0] - gain[:, 1]

    drawn = gain_there(bootstrap_figures(sums, resamples, seed))
    drawn = drawn[np.isfinite(drawn)]  # a draw may miss a small group
    if not len(drawn):
        return None
    figures = sums.figures()
    inside, outside = figures.reshape(2, -1)
    of_seeds = (inside - outside).tolist()
    noise = seed_noise(of_seeds[: len(first)], of_seeds[len(first) :], spread)
    return Difference(
        float(gain_there(figures[None])[0]),
        *interval(drawn, images),
        max(_two_sided(drawn, images), 0.0 if noise is None else noise.p_value),
    )


def beyond_of_seeds(
    tables: Sequence[pa.Table],
    rows: Bool[np.ndarray, " expressions"],
    metric: str = OVERALL_IOU,
) -> list[float]:
    """How much higher the figure of each seed of a model is in some rows than in all others.

    Args:
        tables: results of the model, a table for each seed.
        rows: True in the group.
        metric: to compare; NaN where the group or the other rows are empty.
    """
    inside, outside = (image_sums(tables, [metric], rows=part).figures() for part in (rows, ~rows))
    return [float(value) for value in inside - outside]


def _two_sided(drawn: Float64[np.ndarray, " draws"], images: int) -> float:
    """How often the draws lie on the other side of 0, twice; in step with `interval`.

    Like the interval's ends it goes by Student's distribution instead of the normal one.
    """
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    share = min(0.5, (rarer + 1) / (len(drawn) + 1))
    deviations = NormalDist().inv_cdf(share) * math.sqrt((images - 1) / images)
    return 2 * float(stats.t.cdf(deviations, images - 1))
