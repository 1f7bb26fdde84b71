"""Draws and swaps, against scipy and against every possible swap."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from refseg.evaluation.draws import bootstrap_figures, swap_differences, two_sided
from refseg.evaluation.sums import ImageSums, image_sums

from ..analysis.fake_results import draw_results

RESAMPLES = 4000


def sums_of(numerators: list[list[float]], denominators: list[list[float]]) -> ImageSums:
    return ImageSums(np.array(numerators, float), np.array(denominators, float))


def ratio_of_sums(numerator: np.ndarray, denominator: np.ndarray, axis: int = -1) -> np.ndarray:
    return numerator.sum(axis=axis) / denominator.sum(axis=axis)


def test_quantiles_of_draws_agree_with_scipy() -> None:
    sums = image_sums([draw_results(images=80)])
    theirs = stats.bootstrap(
        (sums.numerators[0], sums.denominators[0]),
        ratio_of_sums,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    ours = bootstrap_figures(sums, RESAMPLES, seed=0)[:, 0]
    low, high = theirs.confidence_interval
    width = high - low
    assert np.quantile(ours, [0.025, 0.975]) == pytest.approx([low, high], abs=0.06 * width)
    assert ours.std() == pytest.approx(theirs.standard_error, rel=0.06)


def test_draws_are_those_of_every_possible_sample() -> None:
    """Three images have 27 ordered samples, whose figures are known with their chances."""
    sums = sums_of([[1, 2, 9]], [[4, 5, 10]])
    samples = [list(sample) for sample in product(range(3), repeat=3)]
    known = [ratio_of_sums(sums.numerators[0, s], sums.denominators[0, s]) for s in samples]
    values, counts = np.unique(np.round(known, 12), return_counts=True)
    drawn = np.round(bootstrap_figures(sums, 27_000, seed=3)[:, 0], 12)
    found, seen = np.unique(drawn, return_counts=True)
    assert found.tolist() == values.tolist()
    assert stats.chisquare(seen, counts * 1000).pvalue > 1e-4


def test_the_same_seed_gives_the_same_draws_in_blocks_or_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sums = image_sums([draw_results(images=20), draw_results(images=20, noise=1)])
    at_once = bootstrap_figures(sums, 50, seed=7)
    assert (at_once == bootstrap_figures(sums, 50, seed=7)).all()
    assert (at_once != bootstrap_figures(sums, 50, seed=8)).any()
    monkeypatch.setattr("refseg.evaluation.draws._BLOCK", 60)
    assert (at_once == bootstrap_figures(sums, 50, seed=7)).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=6))
def test_few_images_are_swapped_in_every_way(images: list[tuple[int, int, int, int]]) -> None:
    counts = np.array(images, float)
    first = ImageSums(counts[None, :, 0], counts[None, :, 0] + counts[None, :, 1])
    second = ImageSums(counts[None, :, 2], counts[None, :, 2] + counts[None, :, 3])
    observed = float((first.figures() - second.figures())[0])
    ours, exact = swap_differences(first, second, 64, seed=0)
    every = []
    for swaps in product([False, True], repeat=len(images)):
        one = ImageSums(
            np.where(swaps, second.numerators, first.numerators),
            np.where(swaps, second.denominators, first.denominators),
        )
        other = ImageSums(
            np.where(swaps, first.numerators, second.numerators),
            np.where(swaps, first.denominators, second.denominators),
        )
        every.append(float((one.figures() - other.figures())[0]))
    assert exact
    # Images in which the two agree are not swapped: each difference is then there less often.
    assert np.unique(ours.round(9)).tolist() == np.unique(np.round(every, 9)).tolist()
    expected = np.mean(np.abs(every) >= abs(observed) - 1e-12)
    assert two_sided(ours[:, 0], observed, exact) == pytest.approx(expected)


def test_exact_p_value_agrees_with_scipy() -> None:
    first, second = (
        image_sums([draw_results(images=9, noise=noise, skill=noise / 4)]) for noise in (1, 2)
    )

    def difference(
        one: np.ndarray, up: np.ndarray, other: np.ndarray, down: np.ndarray, axis: int = -1
    ) -> np.ndarray:
        return ratio_of_sums(one, up, axis) - ratio_of_sums(other, down, axis)

    # scipy swaps samples pair by pair: an image is one number, the place of its sums.
    sides = np.stack([first.numerators[0], second.numerators[0]])
    weights = np.stack([first.denominators[0], second.denominators[0]])
    places = np.arange(first.images)

    def statistic(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        side_one, image = np.divmod(one, first.images)
        side_other, _ = np.divmod(other, first.images)
        return difference(
            sides[side_one, image],
            weights[side_one, image],
            sides[side_other, image],
            weights[side_other, image],
            axis,
        )

    theirs = stats.permutation_test(
        (places, places + first.images),
        statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    observed = float((first.figures() - second.figures())[0])
    ours, exact = swap_differences(first, second, 1000, seed=0)
    assert exact
    assert theirs.statistic == pytest.approx(observed)
    assert two_sided(ours[:, 0], observed, exact) == pytest.approx(theirs.pvalue)


def test_random_swaps_come_near_the_exact_p_value() -> None:
    first, second = (
        image_sums([draw_results(images=12, noise=noise, skill=noise / 8)]) for noise in (1, 2)
    )
    observed = float((first.figures() - second.figures())[0])
    exact, is_exact = swap_differences(first, second, 2**12, seed=0)
    random, is_random_exact = swap_differences(first, second, 4000, seed=0)
    assert (is_exact, is_random_exact) == (True, False)
    expected = two_sided(exact[:, 0], observed, True)
    assert 0.01 < expected < 0.9
    assert two_sided(random[:, 0], observed, False) == pytest.approx(expected, abs=0.03)


def test_a_random_p_value_is_never_zero() -> None:
    assert two_sided(np.zeros(999), 0.5, exact=False) == 1 / 1000
    assert two_sided(np.array([0.5, -0.5, 0.1, 0.2]), 0.5, exact=True) == 0.5


def test_runs_that_agree_everywhere_do_not_differ() -> None:
    sums = image_sums([draw_results(images=10)])
    differences, exact = swap_differences(sums, sums, 100, seed=0)
    assert two_sided(differences[:, 0], 0.0, exact) == 1.0
