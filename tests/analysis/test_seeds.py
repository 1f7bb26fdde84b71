"""The noise of the seeds among several models, against scipy's analysis of variance."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from refseg.analysis.seeds import seed_noise


def test_pairs_of_many_models_are_an_analysis_of_variance() -> None:
    """With as many seeds of each, F is the mean of the squared t of all pairs."""
    models = np.random.default_rng(0).normal(0.5, 0.02, (8, 3)).tolist()
    degrees = 8 * 2
    squares = []
    for one, other in combinations(models, 2):
        noise = seed_noise(one, other, models)
        assert noise is not None
        squares.append(float(stats.t.isf(noise.p_value / 2, degrees)) ** 2)
    assert np.mean(squares) == pytest.approx(stats.f_oneway(*models).statistic)


def test_other_numbers_of_seeds_by_hand() -> None:
    """Variances 0.0002 (of two) and 0.0004 (of three): pooled (0.0002 + 2 · 0.0004) / 3."""
    models = [[0.50, 0.52], [0.56, 0.58, 0.60], [0.7]]
    noise = seed_noise(models[0], models[2], models)
    assert noise is not None
    error = (0.001 / 3 * (1 / 2 + 1)) ** 0.5
    assert noise.p_value == pytest.approx(2 * stats.t.sf(0.19 / error, 3))
    reach = error * stats.t.ppf(0.975, 3)
    assert (noise.low, noise.high) == pytest.approx((-0.19 - reach, -0.19 + reach))


def test_where_there_is_nothing_to_measure_noise_by() -> None:
    assert seed_noise([0.5], [0.6], [[0.5], [0.6], [0.7]]) is None
    assert seed_noise([0.5, 0.5], [0.6], [[0.5, 0.5], [0.6], [0.7]]) is None


def test_two_models_are_compared_by_their_own_seeds() -> None:
    one, other = [0.50, 0.52, 0.51], [0.6, 0.7]
    noise = seed_noise(one, other, [one, other])
    assert noise is not None
    assert noise.p_value == pytest.approx(stats.ttest_ind(one, other, equal_var=False).pvalue)
