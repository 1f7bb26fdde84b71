"""How often intervals hold the truth and tests cry wolf, over simulated data sets."""

import numpy as np
import pytest

from refseg.evaluation.bootstrap import bootstrap, differences

from ..analysis.fake_results import draw_results

DATA_SETS = 400
IMAGES = 80


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["overall_iou", "mean_iou", "precision@0.5"])
def test_intervals_hold_the_truth(metric: str) -> None:
    """95 % of them should; the standard error of a share of 400 is 1.1 points."""
    truth = bootstrap(draw_results(200_000, seed=12345), metric, resamples=2).value
    found = [
        bootstrap(draw_results(IMAGES, seed=seed), metric, resamples=1000)
        for seed in range(DATA_SETS)
    ]
    coverage = np.mean([interval.low <= truth <= interval.high for interval in found])
    print(f"{metric}: {coverage:.1%} of {DATA_SETS} intervals over {IMAGES} images hold the truth")
    assert 0.915 <= coverage <= 0.985


@pytest.mark.slow
def test_differences_hold_the_truth_and_false_alarms_are_rare() -> None:
    """Two models of the same skill differ on every data set, and on none of them truly."""
    found = [
        differences(
            [draw_results(IMAGES, seed=seed, noise=1)],
            [draw_results(IMAGES, seed=seed, noise=2)],
            resamples=1000,
        )[0]
        for seed in range(DATA_SETS)
    ]
    coverage = np.mean([one.low <= 0 <= one.high for one in found])
    alarms = np.mean([one.p_value < 0.05 for one in found])
    print(f"{coverage:.1%} of intervals hold 0; {alarms:.1%} of p-values are below 0.05")
    assert 0.915 <= coverage <= 0.985
    assert 0.02 <= alarms <= 0.085
