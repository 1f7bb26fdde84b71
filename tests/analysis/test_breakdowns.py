"""Groups by hand, and their figures against the same rows alone."""

import numpy as np
import pyarrow as pa
import pytest

from refseg.analysis.breakdowns import BREAKDOWNS, By, Grouping, breakdown, groups
from refseg.errors import ConfigError, DataError
from refseg.evaluation.bootstrap import bootstrap

from .fake_results import PIXELS, draw_results, make_results


def counts(table: pa.Table, by: By, grouping: Grouping | None = None) -> dict[str, int]:
    return {group.label: int(group.rows.sum()) for group in groups(table, by, grouping)}


def results(**columns: list[object]) -> pa.Table:
    count = len(next(iter(columns.values())))
    return make_results(**{"intersection": [5] * count, "union": [10] * count, **columns})


def test_lengths_in_the_groups_of_the_data_set_or_those_asked_for() -> None:
    words = [1, 2, 3, 4, 6, 9, 10]
    assert counts(results(words=words), "length") == {"1–3": 3, "4–6": 2, "7–9": 1, "≥ 10": 1}
    unc = {"1–2": 2, "3": 1, "4–5": 1, "6–20": 3}
    assert counts(results(words=words, source=["refcoco (unc)"] * 7), "length") == unc
    assert counts(results(words=words), "length", Grouping(lengths="unc")) == unc


def test_lengths_of_two_data_sets_need_a_choice() -> None:
    table = results(words=[1, 2], source=["refcoco (unc)", "refcocog (umd)"])
    with pytest.raises(DataError, match=r"refcoco \(unc\), refcocog \(umd\).*--lengths"):
        groups(table, "length")
    assert counts(table, "length", Grouping(lengths="referit")) == {"1": 1, "2": 1}


def test_sizes_by_share_or_by_pixels() -> None:
    area = [0, int(0.029 * PIXELS), int(0.03 * PIXELS), int(0.1 * PIXELS), 32**2, 96**2]
    table = results(area=area)
    assert counts(table, "size") == {
        "small (< 3 %)": 1,
        "medium (3–10 %)": 2,
        "large (≥ 10 %)": 2,
        "names nothing": 1,
    }
    assert counts(table, "size", Grouping(sizes="coco")) == {
        "small": 2,
        "medium": 2,
        "large": 1,
        "names nothing": 1,
    }
    assert counts(table, "size", Grouping(sizes="fine")) == {
        "1–3 %": 1,
        "3–10 %": 2,
        "10–30 %": 1,
        "≥ 30 %": 1,
        "names nothing": 1,
    }


def test_rare_categories_share_a_group() -> None:
    """An expression without a category names an unknown one, or nothing at all."""
    names = ["cat", "dog", "dog", None, "cat", "emu", "dog, emu", None]
    table = results(category=names, area=[9] * 7 + [0])
    assert counts(table, "category", Grouping(categories=2)) == {"cat": 2, "dog": 2, "4 others": 4}
    assert counts(table, "category")["unknown"] == 1
    assert counts(table, "category")["names nothing"] == 1


def test_distractors_and_words() -> None:
    table = results(
        distractors=[0, 1, 2, 3, 9, None, None],
        area=[9] * 6 + [0],
        position_words=[True, True, False, False, False, False, False],
        attribute_words=[True, False, False, False, False, True, False],
        relation_words=[False] * 7,
    )
    assert counts(table, "distractors") == {
        **{"0": 1, "1": 1, "2": 1, "≥ 3": 2},
        **{"unknown": 1, "names nothing": 1},
    }
    assert counts(table, "words") == {"position": 2, "attribute": 2, "none of these": 4}


def test_left_and_right_are_a_group_of_words() -> None:
    texts = ["the Left dog", "dog to the right of a cat", "bright dog", "rightmost", "dog"]
    table = results(expression=texts, position_words=[True, True, False, True, False])
    found = {group.label: group.rows.tolist() for group in groups(table, "words")}
    assert found["left or right"] == [True, True, False, True, False]


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_each_group_has_the_figures_of_its_rows_alone(by: By) -> None:
    table = draw_results(images=40)
    rows = breakdown(table, by, resamples=200).to_pylist()
    members = groups(table, by)
    assert [row["group"] for row in rows] == [group.label for group in members]
    if by != "words":
        assert (np.sum([group.rows for group in members], axis=0) == 1).all()
    for row, group in zip(rows, members, strict=True):
        alone = table.filter(pa.array(group.rows))
        assert row["expressions"] == alone.num_rows
        overall = bootstrap(alone, resamples=200)
        assert (row["overall_iou"], row["low"], row["high"]) == tuple(overall)
        assert row["mean_iou"] == pytest.approx(np.mean(alone["iou"].to_numpy()))
        assert row["precision@0.5"] == pytest.approx(np.mean(alone["iou"].to_numpy() >= 0.5))


@pytest.mark.parametrize(
    ("by", "grouping", "known"),
    [
        ("length", Grouping(lengths="coco"), "gref, unc, referit, shapes"),
        ("size", Grouping(sizes="unc"), "share, fine, coco"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    by: By, grouping: Grouping, known: str
) -> None:
    with pytest.raises(ConfigError, match=known):
        groups(draw_results(images=3), by, grouping)
