"""Intervals, differences and what stands out, by hand, against scipy, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from refseg.analysis.beyond_others import gain_beyond_others
from refseg.analysis.seeds import seed_noise
from refseg.errors import ConfigError, DataError
from refseg.evaluation.bootstrap import bootstrap, differences, holm
from refseg.evaluation.sums import image_sums

from ..analysis.fake_results import draw_results, make_results


def test_figures_of_a_case_by_hand() -> None:
    table = make_results(
        intersection=[3, 1, 0, 8], union=[4, 5, 0, 10], area=[4, 5, 0, 10], image_id=[7, 7, 8, 9]
    )
    assert bootstrap(table).value == pytest.approx(12 / 19)
    assert bootstrap(table, "mean_iou").value == pytest.approx((0.75 + 0.2 + 1 + 0.8) / 4)
    assert bootstrap(table, "precision@0.75").value == pytest.approx(3 / 4)
    sums = image_sums([table])
    assert sums.numerators.tolist() == [[4, 0, 8]]  # two expressions of image 7
    assert sums.denominators.tolist() == [[9, 0, 10]]
    assert image_sums([table], by="expression").images == 4


def test_images_of_two_data_sets_are_two_though_their_ids_coincide() -> None:
    table = make_results(intersection=[1, 1], union=[2, 4], image_id=[5, 5], source=["a", "b"])
    assert image_sums([table]).images == 2


def test_interval_grows_with_what_images_have_in_common() -> None:
    table = draw_results(images=100)
    by_image, by_expression = (bootstrap(table, by=unit) for unit in ("image", "expression"))
    assert by_image.value == by_expression.value
    assert by_image.low < by_image.value < by_image.high
    assert by_image.high - by_image.low > 1.1 * (by_expression.high - by_expression.low)
    assert by_image == bootstrap(table)  # the same seed


def test_interval_agrees_with_scipy_at_the_expanded_level() -> None:
    sums = image_sums([draw_results(images=25)])
    tail = stats.norm.cdf(stats.t.ppf(0.025, 24) * np.sqrt(25 / 24))
    theirs = stats.bootstrap(
        (sums.numerators[0], sums.denominators[0]),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=6000,
        confidence_level=1 - 2 * tail,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    ours = bootstrap(draw_results(images=25), resamples=6000)
    width = theirs.high - theirs.low
    assert ours[1:] == pytest.approx(tuple(theirs), abs=0.06 * width)


def test_pairing_makes_the_interval_of_a_difference_narrow() -> None:
    first, second = (draw_results(images=100, noise=noise) for noise in (1, 2))
    (difference,) = differences([first], [second], resamples=2000)
    one, other = bootstrap(first), bootstrap(second)
    assert difference.value == pytest.approx(one.value - other.value)
    apart = np.hypot(one.high - one.low, other.high - other.low)
    assert difference.high - difference.low < 0.8 * apart


def test_a_difference_that_is_there_is_found() -> None:
    first, second = draw_results(noise=1, skill=0.5), draw_results(noise=2)
    (found,) = differences([first], [second], resamples=2000)
    assert found.low > 0
    assert found.p_value < 0.001
    (turned,) = differences([second], [first], resamples=2000)
    assert turned.value == -found.value
    assert turned.p_value == found.p_value


def test_several_seeds_are_compared_by_their_means() -> None:
    first = [draw_results(noise=noise, skill=0.2) for noise in (1, 2, 3)]
    second = [draw_results(noise=noise) for noise in (4, 5)]
    (found,) = differences(first, second, resamples=500)
    means = [np.mean([bootstrap(table).value for table in tables]) for tables in (first, second)]
    assert found.value == pytest.approx(means[0] - means[1])
    (single,) = differences(first[:1], second[:1], resamples=500)
    assert found.high - found.low < single.high - single.low


def test_a_gain_in_small_objects_stands_out() -> None:
    first, second = draw_results(200, noise=1, small_skill=0.6), draw_results(200, noise=2)
    small = first["object_size"].to_numpy() < 0.03
    found = gain_beyond_others([first], [second], small, resamples=1000)
    assert found is not None
    inside, outside = (
        differences([first.filter(rows)], [second.filter(rows)], resamples=100)[0].value
        for rows in (small, ~small)
    )
    assert found.value == pytest.approx(inside - outside)
    assert found.low > 0
    assert found.p_value < 0.01
    assert gain_beyond_others([first], [second], np.ones(len(small), bool)) is None


@pytest.mark.parametrize("few", [2, 3, 6])
def test_a_group_of_a_few_images_seldom_stands_out_by_chance(few: int) -> None:
    """Two models of the same skill, and a group of one expression in each of a few images."""
    alarms = 0
    for seed in range(100):
        first, second = draw_results(60, seed=seed, noise=1), draw_results(60, seed=seed, noise=2)
        _, firsts = np.unique(first["image_id"].to_numpy(), return_index=True)
        rows = np.isin(np.arange(first.num_rows), firsts[:few])
        found = gain_beyond_others([first], [second], rows, "mean_iou", resamples=300)
        assert found is not None
        alarms += found.p_value < 0.05
    assert alarms <= 12  # 5 are to be expected; more than 12 come once in 700 times


def test_a_group_in_one_image_cannot_be_told_from_the_others() -> None:
    first, second = draw_results(20, noise=1), draw_results(20, noise=2)
    rows = first["image_id"].to_numpy() == 3
    assert gain_beyond_others([first], [second], rows, resamples=300) is None
    assert gain_beyond_others([first], [second], ~rows, resamples=300) is None


def test_an_even_gain_does_not_stand_out() -> None:
    first, second = draw_results(200, noise=1, skill=0.5), draw_results(200, noise=2)
    words = first["words"].to_numpy() < 6
    found = gain_beyond_others([first], [second], words, resamples=1000)
    assert found is not None
    assert found.low < 0 < found.high
    assert found.p_value > 0.05


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.5):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[place] * (len(p_values) - rank) > level:
                break
            rejected.add(place)
        assert {place for place, p_value in enumerate(adjusted) if p_value <= level} == rejected


@pytest.mark.filterwarnings("ignore:Precision loss occurred")  # scipy, where seeds are equal
@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 100), min_size=2, max_size=5),
    st.lists(st.integers(0, 100), min_size=2, max_size=5),
)
def test_noise_of_seeds_agrees_with_scipy(first: list[int], second: list[int]) -> None:
    one, other = [number / 100 for number in first], [number / 100 for number in second]
    noise = seed_noise(one, other)
    if len(set(one)) == len(set(other)) == 1:
        assert noise is None
        return
    theirs = stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert noise is not None
    assert noise.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert (noise.low, noise.high) == pytest.approx((low / 100, high / 100))


def test_one_seed_has_no_noise() -> None:
    assert seed_noise([0.5], [0.4, 0.3]) is None


@pytest.mark.parametrize("metric", ["oIoU", "precision@", "precision@2", "precision@x"])
def test_unknown_metric(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"in \[0, 1\] as a metric"):
        bootstrap(draw_results(images=3), metric)


def test_no_expressions() -> None:
    with pytest.raises(DataError, match="got none"):
        bootstrap(draw_results(images=3).slice(0, 0))


def test_one_image_has_no_interval() -> None:
    value, low, high = bootstrap(draw_results(images=1))
    assert 0 < value < 1
    assert np.isnan([low, high]).all()


def test_too_few_images_have_no_interval_either() -> None:
    """Five lie all on one side of the truth in 2 / 2⁵ = 6 % of all cases, and so do all draws."""
    five, six = (bootstrap(draw_results(images), resamples=200) for images in (5, 6))
    assert np.isnan([five.low, five.high]).all()
    assert six.low < six.value < six.high
