"""Which expressions a report shows."""

import numpy as np
import pytest

from refseg.analysis.cases import CASES, choose_cases

from .fake_results import draw_results, make_results


def test_best_and_worst_have_the_ends_of_the_iou_and_typical_ones_its_middle() -> None:
    """Each of 101 expressions lies in an image of its own."""
    table = make_results(intersection=list(range(101)), union=[100] * 101, area=[50] * 101)
    chosen = choose_cases(table, number=3)
    assert chosen["best"] == [100, 99, 98]
    assert chosen["worst"] == [0, 1, 2]
    assert chosen["typical"] == [49, 50, 51]
    assert len(chosen["random"]) == 3


@pytest.mark.parametrize("seed", range(3))
def test_no_case_is_shown_twice_and_no_image_twice_in_a_kind(seed: int) -> None:
    table = draw_results(40, seed=seed)
    chosen = choose_cases(table, number=6, seed=seed)
    every = [row for kind in CASES for row in chosen[kind]]
    assert len(set(every)) == len(every) == 4 * 6
    images = table["image_id"].to_numpy()
    for kind in CASES:
        assert len(set(images[chosen[kind]])) == 6
    assert chosen == choose_cases(table, number=6, seed=seed)


def test_of_many_failures_those_shown_are_drawn_by_chance() -> None:
    table = make_results(intersection=[0] * 1000, union=[10] * 1000)
    first, second = (choose_cases(table, number=5, seed=seed)["worst"] for seed in (0, 1))
    assert first != second
    assert max(first) > 100, "not the first of the table"


def test_what_names_nothing_is_drawn_by_chance_only() -> None:
    nothing = np.arange(50) % 2 == 0
    table = make_results(
        intersection=[0] * 50, union=np.where(nothing, 0, 10), area=np.where(nothing, 0, 10)
    )
    chosen = choose_cases(table, number=4)
    for kind in ("best", "worst", "typical"):
        assert not nothing[chosen[kind]].any()


def test_few_expressions_of_one_image() -> None:
    table = make_results(intersection=[1, 2, 3], union=[4] * 3, image_id=[7] * 3)
    chosen = choose_cases(table, number=2)
    assert chosen == {"best": [2, 1], "worst": [0], "typical": [], "random": []}
