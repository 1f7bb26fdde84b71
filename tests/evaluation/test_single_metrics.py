"""Single metrics against the whole, and gRefCOCO's figures worked by hand."""

import math

import pytest
import torch

from refseg.errors import ConfigError, DataError
from refseg.evaluation import (
    GeneralizedMetrics,
    MeanIoU,
    OverallIoU,
    PrecisionAt,
    ReferringMetrics,
    metric_table,
    no_target_accuracy,
    target_accuracy,
)


def test_single_metrics_are_those_of_the_whole() -> None:
    generator = torch.Generator().manual_seed(3)
    unions = torch.randint(1, 1000, (50,), generator=generator)
    intersections = (unions * torch.rand(50, generator=generator)).long()
    metrics = [ReferringMetrics(), OverallIoU(), MeanIoU(), PrecisionAt(0.5), PrecisionAt(0.9)]
    for metric in metrics:
        metric.update(intersections, unions, range(50))
        metric.update(intersections[:7], unions[:7], range(7))  # repeats
    figures = metrics[0].compute()
    names = ("overall_iou", "mean_iou", "precision@0.5", "precision@0.9")
    assert [metric.compute() for metric in metrics[1:]] == [figures[name] for name in names]


def test_wrong_threshold_and_nothing_to_count() -> None:
    with pytest.raises(ConfigError, match=r"got 50\.0; write 0\.5"):
        PrecisionAt(50.0)
    with pytest.raises(DataError, match="at least one expression"):
        GeneralizedMetrics().forward(*(torch.zeros(0, dtype=torch.int64) for _ in range(3)))


# Truth area, predicted area, intersection, union, of:
CASES = [
    (0, 0, 0, 0),  # nothing, and recognised
    (0, 6, 0, 6),  # nothing, but something predicted
    (
        10,
        0,
        0,
        10,
    ),  # something, taken for nothing: the union is the object
    (10, 10, 5, 15),  # something, partly found
]


def test_figures_of_grefcoco_by_hand() -> None:
    columns = [torch.tensor(column) for column in zip(*CASES, strict=True)]
    areas, predicted, intersections, unions = columns
    assert torch.equal(intersections + unions, areas + predicted)
    metric = GeneralizedMetrics()
    metric.update(intersections, unions, range(4), areas)
    figures = {name: value.item() for name, value in metric.compute().items()}
    assert figures == {
        "gIoU": pytest.approx((1 + 0 + 0 + 5 / 15) / 4, abs=1e-15),
        "cIoU": 5 / (6 + 10 + 15),
        "N_acc": 1 / 2,
        "T_acc": 1 / 2,
    }
    assert no_target_accuracy(areas, predicted) == figures["N_acc"]
    assert target_accuracy(areas, predicted) == figures["T_acc"]


def test_accuracies_without_any_such_expression_are_undefined() -> None:
    something, nothing = torch.tensor([3]), torch.tensor([0])
    assert math.isnan(no_target_accuracy(something, nothing))
    assert math.isnan(target_accuracy(nothing, something))


def test_areas_have_to_be_given() -> None:
    metric = GeneralizedMetrics()
    metric.update(torch.tensor([1]), torch.tensor([2]), [1])
    with pytest.raises(DataError, match="give `areas` to update"):
        metric.compute()


def test_a_split_with_expressions_for_nothing_gets_two_figures_more() -> None:
    areas, _, intersections, unions = (torch.tensor(column) for column in zip(*CASES, strict=True))
    with_none, without = ReferringMetrics(), ReferringMetrics()
    with_none.update(intersections, unions, range(4), areas)
    without.update(intersections[2:], unions[2:], [2, 3], areas[2:])
    figures = {name: value.item() for name, value in with_none.compute().items()}
    assert figures["no_target_accuracy"] == figures["target_accuracy"] == 0.5
    assert not {"no_target_accuracy", "target_accuracy"} & without.compute().keys()
    assert metric_table({"val": figures}).headings[-2:] == ["N-acc", "T-acc"]


def test_chosen_expressions_alone_make_the_figures() -> None:
    metrics = ReferringMetrics(chosen_ids=torch.tensor([2, 9]))
    metrics.update(torch.tensor([1, 3]), torch.tensor([4, 4]), [1, 2])
    assert metrics.compute()["mean_iou"] == 0.75
    metrics.check_ids([1, 2])
