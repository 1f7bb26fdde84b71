"""The plain loop of RMI's fusion, and the products that the fusion cannot do without."""

import pytest
import torch

import refseg.benchmarks.turns
from refseg.benchmarks.flops_and_memory import count_flops
from refseg.benchmarks.limits import Comparison, LimitFigures, measure_limits
from refseg.benchmarks.plain_mlstm import (
    PaperSize,
    compare_batch,
    compare_sentence,
    matrix_products,
)

SIZE = PaperSize(grid=3, image_dim=6, word_dim=5, hidden_dim=4, words=13, expressions=8, images=2)
COORDINATES = 2 * 9 * 8 * 16  # operations for an image's cells, which the limit leaves out


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)


def measured(comparison: Comparison) -> LimitFigures:
    figures = measure_limits(comparison, rounds=2)
    for spread in (figures.ours, figures.reference, figures.limit):
        assert 0 < spread.least <= spread.median <= spread.most
    return figures


def test_a_sentence_is_computed_alike_with_fewer_operations() -> None:
    forward, backward = map(measured, compare_sentence(SIZE))
    assert forward.difference < 1e-5
    assert backward.difference < 1e-4
    # In each cell and each of 13 steps the plain way convolves [state, image, word, coordinates].
    assert forward.reference_flops == 13 * 2 * 9 * (4 + 6 + 5 + 8) * 16
    assert forward.flops == 2 * 16 * (9 * 6 + 13 * 5 + 12 * 9 * 4) + COORDINATES
    assert backward.flops > 2 * forward.flops
    assert backward.memory > 0


@pytest.mark.parametrize("at_once", [1, 3, None])
def test_a_padded_batch_is_computed_alike(at_once: int | None) -> None:
    figures = measured(compare_batch(SIZE, at_once))
    assert figures.difference < 1e-4


@pytest.mark.parametrize("at_once", [1, 3, None])
def test_the_limit_has_the_products_of_ours_and_no_others(at_once: int | None) -> None:
    lengths = [1, 2, 4]
    size = SIZE._replace(images=2, words=4)
    products = 2 * 16 * (2 * 9 * 6 + 7 * 5 + (0 + 1 + 3) * 9 * 4)
    alone = matrix_products(size, lengths, False, at_once)
    assert count_flops(alone) == products
    assert count_flops(matrix_products(size, lengths, True, at_once)) == 3 * products


def test_another_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    import refseg.benchmarks.plain_mlstm as module

    monkeypatch.setattr(module, "unsquash", torch.tanh)
    forward, _ = compare_sentence(SIZE)
    assert measured(forward).difference > 1e-3
