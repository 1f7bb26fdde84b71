"""The LSTM in every cell: its states and gradients are those of the formula."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.models.fusion.cell_lstm import read_words, words_read

LENGTHS = [4, 3, 3, 1]
READING = [4, 3, 3, 1]  # expressions that have a first word, a second one, ...


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (4, 5, 12), (4, 6, 12), (12, 3)
    visual, said, weight = (
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    )
    return visual, said, weight


def by_formula(visual: Tensor, said: Tensor, weight: Tensor) -> Tensor:
    """Torch's own LSTM cell in each cell of each expression, word by word."""
    states = []
    for row, length in enumerate(LENGTHS):
        state = memory = torch.zeros(5, 3, dtype=visual.dtype)
        for step in range(length):
            gates = visual[row] + said[row, step]
            identity = torch.eye(12, dtype=visual.dtype)
            state, memory = torch.lstm_cell(gates, (state, memory), identity, weight)
        states.append(state)
    return torch.stack(states)


@pytest.mark.parametrize("recompute", [False, True])
def test_states_and_gradients_are_those_of_torchs_cell(recompute: bool) -> None:
    given, others = inputs(), inputs()
    expected = by_formula(*others)
    found = read_words(*given, READING, recompute)
    assert_close(found, expected)
    direction = torch.randn(found.shape, dtype=found.dtype)
    found.backward(direction)
    expected.backward(direction)
    for ours, theirs in zip(given, others, strict=True):
        assert_close(ours.grad, theirs.grad)
    with torch.no_grad():
        assert torch.equal(read_words(*given, READING), found)
        *_, last = words_read(*given, READING, keeps_gates=False)
        assert torch.equal(last.state, found[:1])


@pytest.mark.parametrize("recompute", [False, True])
def test_the_gradient_is_that_of_differences(recompute: bool) -> None:
    assert torch.autograd.gradcheck(lambda *given: read_words(*given, READING, recompute), inputs())


def test_gates_that_are_recomputed_need_no_memory() -> None:
    kept: list[int] = []
    for recompute in (False, True):
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            read_words(*inputs(), READING, recompute)
        kept.append(sum(sizes) - sum(tensor.numel() for tensor in inputs()))
    of_second_word = 5 * READING[1] * 2 * 3
    assert kept == [5 * sum(READING) * 6 * 3, of_second_word]


@pytest.mark.parametrize("recompute", [False, True])
def test_products_in_bfloat16_leave_the_rest_in_float32(recompute: bool) -> None:
    given, exact = inputs(torch.float32), inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = read_words(*given, READING, recompute)
    assert found.dtype == torch.float32
    expected = by_formula(*exact)
    assert_close(found, expected, rtol=0, atol=0.02)
    assert not torch.equal(found, expected)
    found.sum().backward()
    expected.sum().backward()
    for ours, theirs in zip(given, exact, strict=True):
        assert theirs.grad is not None
        assert_close(ours.grad, theirs.grad, rtol=0, atol=0.05 * theirs.grad.abs().max().item())
