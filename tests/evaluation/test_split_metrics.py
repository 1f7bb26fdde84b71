"""The figures of several splits, worked out by hand."""

import numpy as np
import pytest
import torch

from refseg.benchmarks.synthetic_batch import synthetic_batch
from refseg.errors import DataError
from refseg.evaluation import PROTOCOLS, SplitMetrics
from refseg.evaluation.counting import PixelCounts


def counts(*rows: tuple[int, int, int]) -> PixelCounts:
    return PixelCounts(*torch.tensor(rows).unbind(1))


def test_each_split_has_its_figures() -> None:
    batch, _ = synthetic_batch(3, 7, 5, side=8)  # the ids 0, 1 and 2
    metrics = SplitMetrics({"val": np.array([0, 1, 2]), "test": None}, "cpu")
    metrics.add(0, batch, counts((1, 2, 1), (0, 4, 4), (3, 4, 3)))
    metrics.add(1, batch.select([1]), counts((1, 1, 1)))
    figures = metrics.figures()
    assert figures["val"]["overall_iou"] == pytest.approx(4 / 10)
    assert figures["val"]["mean_iou"] == pytest.approx((1 / 2 + 0 + 3 / 4) / 3)
    assert figures["test"]["overall_iou"] == 1
    assert metrics.empty_splits() == {}


def test_a_split_in_which_nothing_is_predicted_is_told() -> None:
    """The union is the true mask alone."""
    batch, _ = synthetic_batch(3, 7, 5, side=8)
    metrics = SplitMetrics({"val": None, "test": None}, "cpu")
    metrics.add(0, batch, counts((0, 5, 5), (0, 4, 4), (0, 3, 3)))
    metrics.add(1, batch, counts((0, 5, 5), (0, 4, 4), (1, 3, 3)))
    assert metrics.empty_splits() == {"val": 3}


def test_an_expression_that_is_not_counted_is_named() -> None:
    batch, _ = synthetic_batch(3, 7, 5, side=8)
    metrics = SplitMetrics({"val": np.array([0, 1, 2])}, "cpu")
    metrics.add(0, batch.select([0, 2]), counts((1, 2, 1), (3, 4, 3)))
    with pytest.raises(DataError, match="1"):
        metrics.figures()


def test_a_protocol_of_one_sentence_per_object_counts_the_first() -> None:
    (protocol,) = [p for p in PROTOCOLS.values() if p.sentences != "all"][:1]
    batch, _ = synthetic_batch(3, 7, 5, side=8)
    metrics = SplitMetrics({"val": np.array([0, 1, 2])}, "cpu", protocol, [np.array([0])])
    metrics.add(0, batch, counts((1, 2, 1), (0, 4, 4), (0, 4, 3)))
    assert metrics.figures()["val"]["overall_iou"] == pytest.approx(1 / 2, abs=1e-6)
