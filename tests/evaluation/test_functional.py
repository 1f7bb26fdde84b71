"""Figures against hand-worked cases and exact fractions."""

import math
from fractions import Fraction

import pytest
import torch

from refseg.evaluation import intersection_and_union, iou, mean_iou, overall_iou, precision_at
from refseg.evaluation.functional import merge_repeats


def test_counts_by_hand() -> None:
    predictions = torch.tensor([[[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]).bool()
    masks = torch.tensor([[[0, 1, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]).bool()
    intersections, unions = intersection_and_union(predictions, masks)
    assert intersections.tolist() == [1, 0]
    assert unions.tolist() == [4, 0]
    assert intersections.dtype == unions.dtype == torch.int64


def test_counts_of_no_expression() -> None:
    none = torch.zeros(0, 4, 5, dtype=torch.bool)
    assert [len(counts) for counts in intersection_and_union(none, none)] == [0, 0]


def test_overall_and_mean_iou_differ_as_worked_by_hand() -> None:
    intersections, unions = torch.tensor([10, 1]), torch.tensor([10, 90])
    assert overall_iou(intersections, unions).item() == 11 / 100
    assert mean_iou(intersections, unions).item() == (1 + 1 / 90) / 2


def test_empty_union_is_a_hit_and_adds_nothing_to_overall_iou() -> None:
    intersections, unions = torch.tensor([0, 1]), torch.tensor([0, 4])
    assert iou(intersections, unions).tolist() == [1.0, 0.25]
    assert mean_iou(intersections, unions).item() == 0.625
    assert overall_iou(intersections, unions).item() == 0.25
    assert precision_at(intersections, unions, 1.0).item() == 0.5
    nothing = torch.tensor([0, 0])
    assert overall_iou(nothing, nothing).item() == 1.0


def test_figures_of_no_expression_are_undefined() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert math.isnan(mean_iou(none, none))
    assert math.isnan(precision_at(none, none, 0.5))


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9])
def test_precision_decides_ties_and_near_ties_as_fractions_do(threshold: float) -> None:
    exact = Fraction(str(threshold))
    unions = torch.arange(1, 2000).repeat_interleave(3)
    intersections = (unions.double() * threshold).round().long() + torch.tensor([-1, 0, 1]).repeat(
        1999
    )
    intersections = intersections.clamp(min=0)
    # Unions of a giant image, one pixel off the threshold and exactly on it.
    giant = torch.tensor([10**12] * 3)
    unions = torch.cat([unions, giant])
    intersections = torch.cat([intersections, int(exact * 10**12) + torch.tensor([-1, 0, 1])])
    truth = [
        Fraction(i, u) >= exact
        for i, u in zip(intersections.tolist(), unions.tolist(), strict=True)
    ]
    hits = iou(intersections, unions) >= threshold
    assert hits.tolist() == truth
    assert precision_at(intersections, unions, threshold).item() == sum(truth) / len(truth)


def test_sums_beyond_float32_lose_no_pixel() -> None:
    intersections = torch.tensor([2**24, 1])
    unions = torch.tensor([2**24, 2])
    assert overall_iou(intersections, unions).item() == (2**24 + 1) / (2**24 + 2)


def test_mean_iou_has_the_same_bits_in_any_order() -> None:
    generator = torch.Generator().manual_seed(1)
    unions = torch.randint(1, 10**6, (5000,), generator=generator)
    intersections = (unions * torch.rand(5000, generator=generator)).long()
    values = {
        mean_iou(intersections[order], unions[order]).item()
        for order in (torch.randperm(5000, generator=generator) for _ in range(10))
    }
    exact_sum = sum(map(Fraction, iou(intersections, unions).tolist()))
    assert values == {float(exact_sum) / 5000}


@pytest.mark.parametrize("seed", range(5))
def test_of_repeats_the_lowest_iou_stays_in_any_order(seed: int) -> None:
    """Against going through the rows one by one, with exact fractions."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 20, (60,), generator=generator) * 10**12
    unions = torch.randint(0, 6, (60,), generator=generator)
    intersections = (torch.rand(60, generator=generator) * (unions + 1)).long().clamp(max=unions)
    lowest: dict[int, Fraction] = {}
    for id_, inside, both in zip(*(c.tolist() for c in (ids, intersections, unions)), strict=True):
        value = Fraction(inside, both) if both else Fraction(1)
        lowest[id_] = min(value, lowest.get(id_, value))
    rows = merge_repeats(ids, intersections, unions)
    assert ids[rows].tolist() == sorted(lowest)
    found = iou(intersections, unions)[rows].tolist()
    assert found == [float(lowest[id_]) for id_ in sorted(lowest)]
    order = torch.randperm(60, generator=generator)
    again = order[merge_repeats(ids[order], intersections[order], unions[order])]
    assert intersections[again].equal(intersections[rows])
    assert unions[again].equal(unions[rows])
    assert merge_repeats(*(torch.zeros(0, dtype=torch.int64),) * 3).tolist() == []
