"""Parts of a comparison against the functions that they are made of, and the sentences by hand."""

import pyarrow as pa
import pytest

from refseg.analysis.beyond_others import gain_beyond_others
from refseg.analysis.breakdowns import groups
from refseg.analysis.comparison import Figure, Gain, Part, compare_runs, pair_runs
from refseg.analysis.seeds import SeedNoise
from refseg.analysis.verdict import breakdown_verdict, seed_warning, verdict
from refseg.evaluation.bootstrap import Difference, Interval, differences, holm

from .fake_results import draw_results

METRIC = "overall_iou"


def part(split: str, gain: Gain, by: str = "", group: str = "") -> Part:
    figures = {METRIC: {name: Figure(Interval(0.5, 0.4, 0.6), [0.5]) for name in "AB"}}
    return Part(split, by, group, 10, 5, figures, {METRIC: {"B": gain}})


CLEAR = Gain(Difference(0.02, 0.01, 0.03, 0.0004))
WORSE = Gain(Difference(-0.02, -0.03, -0.01, 0.004))
UNCLEAR = Gain(Difference(0.01, -0.01, 0.03, 0.4))


def test_groups_are_tested_together() -> None:
    tables = {"a": draw_results(noise=1, small_skill=0.3), "b": draw_results(noise=2)}
    runs = pair_runs({name: [table] for name, table in tables.items()}, "val")
    whole, *parts = compare_runs(runs, "val", ["size"], resamples=300)
    assert (whole.by, whole.expressions, whole.images) == ("", tables["a"].num_rows, 60)
    assert sum(one.expressions for one in parts) == whole.expressions
    found = []
    for group, one in zip(groups(tables["a"], "size"), parts, strict=True):
        rows = [runs[name][0].filter(pa.array(group.rows)) for name in "ab"]
        (difference,) = differences(rows[:1], rows[1:], resamples=300)
        gain = one.gains[METRIC]["b"]
        assert gain.difference == difference
        wanted = gain_beyond_others(runs["a"], runs["b"], group.rows, resamples=300)
        assert gain.beyond_others == wanted
        found.append(gain)
    assert [gain.adjusted for gain in found] == holm([gain.difference.p_value for gain in found])
    assert [gain.beyond_others_adjusted for gain in found] == holm(
        [gain.beyond_others.p_value for gain in found if gain.beyond_others is not None]
    )


def test_splits_are_kept_apart() -> None:
    both = pa.concat_tables([draw_results(20), draw_results(30, seed=1, split="testA")])
    runs = pair_runs({"a": [both], "b": [both, both]}, "testA")
    assert [len(tables) for tables in runs.values()] == [1, 2]
    assert set(runs["b"][1]["split"].to_pylist()) == {"testA"}


def test_verdict_by_hand() -> None:
    parts = [part("val", CLEAR), part("testA", WORSE), part("testB", UNCLEAR)]
    assert verdict(parts, METRIC, "A", "B") == (
        "In overall IoU, A is better than B on val (+2.00 points, +1.00 to +3.00, p < 0.001), "
        "is worse than B on testA (-2.00 points, -3.00 to -1.00, p = 0.004) and "
        "lies within the noise of B on testB (+1.00 points, -1.00 to +3.00, p = 0.400)."
    )


def test_a_group_must_pass_the_correction() -> None:
    rest = Difference(0.03, 0.01, 0.05, 0.001)
    small = CLEAR._replace(adjusted=0.001, beyond_others=rest, beyond_others_adjusted=0.002)
    large = CLEAR._replace(adjusted=0.06, beyond_others=rest, beyond_others_adjusted=0.2)
    parts = [part("val", small, "size", "S"), part("val", large, "size", "L")]
    assert breakdown_verdict(parts, METRIC, "A", "B") == (
        "By size of the object on val, A is better than B for S (+2.00) and lies within the noise "
        "for L; the difference is higher for S than elsewhere (+3.00 points, +1.00 to +5.00, "
        "p = 0.002)."
    )


@pytest.mark.parametrize(
    ("gain", "warned"),
    [
        (CLEAR._replace(noise=SeedNoise(-0.05, 0.09, 0.3)), True),
        (CLEAR._replace(noise=SeedNoise(0.01, 0.03, 0.01)), False),
        (UNCLEAR._replace(noise=SeedNoise(-0.05, 0.09, 0.3)), False),
        (CLEAR, False),
    ],
)
def test_the_noise_of_seeds_is_warned_of_where_images_hide_it(gain: Gain, warned: bool) -> None:
    warning = seed_warning(part("val", gain), METRIC, "A", ["B"])
    assert (warning is not None) == warned
    if warning is not None:
        assert warning == (
            "On val, the difference of A and B (+2.00 points, +1.00 to +3.00 over images; noise of "
            "the seeds -5.00 to +9.00) is inside the noise of the seeds; train more of them before "
            "calling it one."
        )


def test_one_image_has_no_interval() -> None:
    runs = {name: [draw_results(1, noise=number)] for number, name in enumerate("AB")}
    sentence = verdict(compare_runs(runs, "val", resamples=100), METRIC, "A", "B")
    assert "nan" not in sentence
    assert " points, p = 1.000)" in sentence
