"""Every two models, against the functions for two, and the sentence about the best by hand."""

from itertools import combinations

import pytest
from rich.console import Console

from refseg.analysis.all_pairs import AllPairs, compare_all_pairs, gain_over
from refseg.analysis.comparison import Figure, Gain, Part
from refseg.analysis.model_tables import pairs_table
from refseg.analysis.ranking import ranking
from refseg.analysis.seeds import SeedNoise, seed_noise
from refseg.evaluation.bootstrap import Difference, Interval, differences, holm
from refseg.evaluation.sums import image_sums

from .fake_results import draw_results

METRIC = "overall_iou"
CLEAR = Gain(Difference(0.02, 0.01, 0.03, 0.001), adjusted=0.003)
UNCLEAR = Gain(Difference(0.01, -0.01, 0.03, 0.01), adjusted=0.06)


def test_every_pair_is_tested_as_two_models_are_and_corrected_once() -> None:
    skills = {"a": 0.0, "b": 0.3, "c": 0.35}
    runs = {
        name: [draw_results(30, noise=10 * number + seed, skill=skill) for seed in range(2)]
        for number, (name, skill) in enumerate(skills.items())
    }
    found = compare_all_pairs(runs, resamples=600)
    assert list(found) == list(combinations(skills, 2))
    seeds = {name: image_sums(tables).figures().tolist() for name, tables in runs.items()}
    raw = []
    for (one, other), gain in found.items():
        (wanted,) = differences(runs[one], runs[other], resamples=600)
        noise = seed_noise(seeds[one], seeds[other], list(seeds.values()))
        assert noise is not None
        assert (gain.difference, gain.noise) == (wanted, noise)
        raw.append(max(wanted.p_value, noise.p_value))
    assert [gain.adjusted for gain in found.values()] == holm(raw)


def test_a_clear_difference_of_many_models_survives_the_correction() -> None:
    """28 pairs with 100 swaps: the least p-value would be 28 / 101."""
    runs = {str(n): [draw_results(30, noise=n, skill=2.0 * (n > 3))] for n in range(8)}
    found = compare_all_pairs(runs, resamples=100)
    assert found["0", "7"].p_value < 0.05


def test_the_other_way_round_is_the_same_difference() -> None:
    noisy = CLEAR._replace(noise=SeedNoise(-0.01, 0.05, 0.4))
    pairs: AllPairs = {("a", "b"): noisy}
    assert gain_over(pairs, "a", "b") is noisy
    other = gain_over(pairs, "b", "a")
    assert other.difference == Difference(-0.02, -0.03, -0.01, 0.001)
    assert other.noise == SeedNoise(-0.05, 0.01, 0.4)
    assert other.adjusted == 0.003


def part(**values: float) -> Part:
    figures = {name: Figure(Interval(value, 0.0, 1.0), [value]) for name, value in values.items()}
    return Part("val", "", "", 10, 5, {METRIC: figures}, {METRIC: {}})


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ((UNCLEAR, CLEAR, CLEAR), "better than a, within the noise of b; 2 of 3"),
        ((CLEAR, CLEAR, CLEAR), "better than all others; 3 of 3"),
        ((UNCLEAR, UNCLEAR, UNCLEAR), "but within the noise of all others; 0 of 3"),
    ],
)
def test_the_best_and_what_lies_within_its_noise(gains: tuple[Gain, ...], said: str) -> None:
    pairs = dict(zip([("b", "c"), ("a", "b"), ("a", "c")], gains, strict=True))
    assert ranking(part(a=0.5, b=0.61, c=0.62), METRIC, pairs) == (
        f"In overall IoU on val, c is the highest of 3 models (62.00 %), {said} pairs of models "
        "differ beyond the noise (p < 0.05 after Holm's correction over all pairs)."
    )


@pytest.mark.parametrize("width", [80, 20])
def test_the_table_has_each_difference_both_ways(width: int) -> None:
    pairs = {("a", "b"): CLEAR, ("a", "c"): UNCLEAR, ("b", "c"): CLEAR}
    console = Console(record=True, width=width)
    console.print(pairs_table("val", METRIC, pairs, width))
    rows = [line.split() for line in console.export_text().splitlines()]
    numbered = [row for row in rows if row[1:2] in (["a"], ["b"], ["c"])]
    wide = [
        ["1", "a", "+2.0*", "+1.0"],
        ["2", "b", "-2.0*", "+2.0*"],
        ["3", "c", "-1.0", "-2.0*"],
    ]
    if width == 80:
        assert numbered == wide
    else:  # in two blocks: the columns of a and b, then that of c
        assert numbered[:3] == [["1", "a", "+2.0*"], ["2", "b", "-2.0*"], wide[2]]
        assert numbered[3:] == [["1", "a", "+1.0"], ["2", "b", "+2.0*"], ["3", "c"]]
