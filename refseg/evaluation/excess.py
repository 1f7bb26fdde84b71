"""Whether a model gains more in some expressions than in all others."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64

from refseg.evaluation.draws import bootstrap_figures
from refseg.evaluation.image_sums import OVERALL_IOU, image_sums, stack
from refseg.evaluation.seeds import seed_noise
from refseg.evaluation.significance import RESAMPLES, Difference, interval


def excess(
    first: Sequence[pa.Table],
    second: Sequence[pa.Table],
    rows: Bool[np.ndarray, " expressions"],
    metric: str = OVERALL_IOU,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference | None:
    """How much more the first model gains over the second in some rows than in all others.

    A gain that is significant in one group and not in another need not be larger there: that is
    a question of its own. Images are drawn anew; the p-value is that of the bootstrap or, with
    several seeds on both sides, that of their noise, if it is larger.

    Args:
        first: results of one model, a table for each seed.
        second: results of the other, on the same expressions in the same order.
        rows: True in the group.
        metric: to compare.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        The difference of the differences, or None where there are no other rows.
    """
    if rows.all() or not rows.any():
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
    noise = seed_noise(of_seeds[: len(first)], of_seeds[len(first) :])
    return Difference(
        float(gain_there(figures[None])[0]),
        *interval(drawn, sums.images),
        max(_two_sided(drawn), 0.0 if noise is None else noise.p_value),
    )


def _two_sided(drawn: Float64[np.ndarray, " draws"]) -> float:
    """How often the draws lie on the other side of 0, twice."""
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(drawn) + 1))
