"""The LSTM in every cell, with few passes over memory, and with its gradient written out.

Beside the matrix products, the time of the mLSTM goes into reading and writing memory. So gates are
made in place, products are added to where their sum is wanted, and the backward pass keeps one
buffer for the gradients of all words' gates.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

RECOMPUTED_TOGETHER = 2
"""Words whose gates are computed anew together: state and memory are kept after each such group.

A word that is kept costs two numbers per channel of the state; one that is computed anew costs six,
but only while its group is. Of a sentence of 20 words, groups of two take the least memory.
"""


class Word(NamedTuple):
    """What reading a word leaves in the cells of the expressions that have it.

    Args:
        gates: after their activation: input, forget, candidate, output.
        memory: of the cells.
        state: of the cells.
    """

    gates: Float[Tensor, " reading cells gates"]
    memory: Float[Tensor, " reading cells hidden_dim"]
    state: Float[Tensor, " reading cells hidden_dim"]


def read_words(
    visual: Float[Tensor, " expressions cells gates"],
    said: Float[Tensor, " expressions words gates"],
    weight: Float[Tensor, " gates hidden_dim"],
    reading: Sequence[int],
    recompute: bool = False,
) -> Float[Tensor, " expressions cells hidden_dim"]:
    """The state of each cell after the last word of its expression.

    The gates of a word are `visual + said + weight · state`, in the order input, forget, candidate,
    output. Padding is not read. Second derivatives are not available.

    Args:
        visual: the part that the image gives.
        said: the part that each word gives.
        weight: of the state before the word.
        reading: how many expressions have a first word, a second one, and so on: the longest come
            first.
        recompute: keep state and memory of every second word alone for the backward pass, and
            compute all else anew there. It takes a third of the memory, and a third more of the
            products.
    """
    visual = visual.contiguous()
    wants_gradient = torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (visual, said, weight)
    )
    if wants_gradient:
        state: Tensor = _Reading.apply(visual, said, weight, reading, recompute)
        return state
    last = visual.new_zeros(*visual.shape[:2], weight.shape[1])
    for word in words_read(visual, said, weight, reading, keeps_gates=False):
        last[: len(word.state)] = word.state
    return last


def numbers_reading(
    token_mask: Bool[Tensor, " expressions words"],
) -> list[int]:
    """How many expressions have a first word, a second one, and so on, up to the longest.

    Args:
        token_mask: True at a word.

    Example:
        >>> numbers_reading(torch.tensor([[True, True, False], [True, False, False]]))
        [2, 1]
    """
    return [rows for rows in token_mask.sum(0).tolist() if rows]


def words_read(
    visual: Float[Tensor, " expressions cells gates"],
    said: Float[Tensor, " expressions words gates"],
    weight: Float[Tensor, " gates hidden_dim"],
    reading: Sequence[int],
    keeps_gates: bool,
    first: int = 0,
    before: Word | None = None,
) -> Iterator[Word]:
    """What each word leaves, one after the other, without gradients.

    Args:
        visual: as for `read_words`, like the next three.
        said: of each word.
        weight: of the state.
        reading: how many expressions have each word.
        keeps_gates: each word has gates of its own; else the next one writes over them.
        first: the word to begin with; 0 is the first one of the sentence.
        before: what the word before that has left; its gates are not looked at.
    """
    buffer = visual.new_empty(0 if keeps_gates else visual.shape)
    for step, rows in enumerate(reading[first:], start=first):
        gates = _activated(visual, said, weight, step, rows, before, buffer)
        input, forget, candidate, output = gates.chunk(4, dim=-1)
        memory = input * candidate
        if before is not None:
            memory.addcmul_(forget, before.memory[:rows])
        before = Word(gates, memory, _fast_tanh(memory).mul_(output))
        yield before


def _activated(
    visual: Tensor,
    said: Tensor,
    weight: Tensor,
    step: int,
    rows: int,
    before: Word | None,
    buffer: Tensor,
) -> Tensor:
    """The gates of a word, in the buffer if it has room for them."""
    if buffer.numel():
        gates = torch.add(visual[:rows], said[:rows, step, None], out=buffer[:rows])
    else:
        gates = visual[:rows] + said[:rows, step, None]
    if before is not None:  # before the first word there is nothing to remember
        dtype = _product_dtype(weight)
        state = before.state[:rows].to(dtype).flatten(0, 1)
        if dtype == gates.dtype:
            sums = gates.flatten(0, 1)
            torch.addmm(sums, state, weight.t(), out=sums)  # which torch's counter knows
        else:
            gates += functional.linear(state, weight.to(dtype)).view_as(gates)
    candidate = gates.chunk(4, dim=-1)[2]
    candidate.mul_(2)
    gates.sigmoid_()
    candidate.mul_(2).sub_(1)
    return gates


def _fast_tanh(values: Tensor) -> Tensor:
    """The tanh as 2 · sigmoid(2x) - 1, which on a CPU takes a quarter of the time of torch's.

    It is right to 1e-7 and not, as torch's, to 1e-7 of the result; what it is given here are sums
    that are rounded as much.
    """
    return values.mul(2).sigmoid_().mul_(2).sub_(1)


def _product_dtype(weight: Tensor) -> torch.dtype:
    """What a product with the weight is computed in, autocast or not."""
    kind = weight.device.type
    if weight.dtype != torch.float64 and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return weight.dtype


class _Reading(torch.autograd.Function):
    """`read_words`, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - as in torch
        visual: Tensor,
        said: Tensor,
        weight: Tensor,
        reading: Sequence[int],
        recompute: bool,
    ) -> Tensor:
        """Read, and keep what the gradient needs: of each word six numbers per channel, or less."""
        ctx.reading, ctx.recompute, ctx.dtype = reading, recompute, _product_dtype(weight)
        last = visual.new_zeros(*visual.shape[:2], weight.shape[1])
        kept: list[Tensor] = []
        words = words_read(visual, said, weight, reading, keeps_gates=not recompute)
        for number, word in enumerate(words, start=1):
            last[: len(word.state)] = word.state
            if not recompute:
                kept += word
            elif number % RECOMPUTED_TOGETHER == 0 and number < len(reading):
                kept += [word.memory, word.state]
        ctx.save_for_backward(visual, said, weight, *kept)
        return last

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 - as in torch
        last: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """The gradients of `visual`, `said` and `weight`, from the last word to the first."""
        visual, said, weight, *kept = ctx.saved_tensors
        of_visual, of_said = torch.empty_like(visual), torch.zeros_like(said)
        of_weight = torch.zeros_like(weight, dtype=visual.dtype)
        of_state = last.clone(memory_format=torch.contiguous_format)
        of_memory = torch.zeros_like(of_state)
        # What is kept stays as it is, for another backward pass; what is recomputed is used up.
        buffer = torch.empty_like(visual[:0] if ctx.recompute else visual)
        words = _recomputed(ctx, visual, said, weight, kept) if ctx.recompute else _as_kept(kept)
        begun = 0  # so many rows have had a word
        for step in reversed(range(len(ctx.reading))):  # without zip, which would hold the word
            word, before = next(words)
            rows = ctx.reading[step]
            of_gates = word.gates if ctx.recompute else buffer[:rows]
            memory_before = None if before is None else before.memory[:rows]
            _gate_gradients(
                of_gates, word.gates, word.memory, memory_before, of_state[:rows], of_memory[:rows]
            )
            of_visual[:begun] += of_gates[:begun]
            of_visual[begun:rows] = of_gates[begun:]
            begun = rows
            of_said[:rows, step] = of_gates.sum(1)
            if before is not None:
                rows_of_gates = of_gates.flatten(0, 1).to(ctx.dtype)
                states = before.state[:rows].flatten(0, 1).to(ctx.dtype)
                product = weight.to(ctx.dtype)
                if ctx.dtype == visual.dtype:
                    torch.mm(rows_of_gates, product, out=of_state[:rows].flatten(0, 1))
                    torch.addmm(of_weight, rows_of_gates.t(), states, out=of_weight)
                else:
                    of_state[:rows] = (rows_of_gates @ product).view_as(of_state[:rows])
                    of_weight += rows_of_gates.t() @ states
                del rows_of_gates, states
            del word, before, of_gates, memory_before  # before other words take their memory
        of_visual[begun:] = 0
        return of_visual, of_said, of_weight.to(weight.dtype), None, None


_WordAndBefore = tuple[Word, Word | None]


def _as_kept(kept: Sequence[Tensor]) -> Iterator[_WordAndBefore]:
    """Each word and the one before it, from the last to the first."""
    words = [Word(*kept[place : place + 3]) for place in range(0, len(kept), 3)]
    while words:
        yield words.pop(), words[-1] if words else None


def _recomputed(
    ctx: Any,  # noqa: ANN401 - as in torch
    visual: Tensor,
    said: Tensor,
    weight: Tensor,
    kept: Sequence[Tensor],
) -> Iterator[_WordAndBefore]:
    """Each word and the one before it, from the last to the first, by groups that are read anew."""
    for group in reversed(range(-(-len(ctx.reading) // RECOMPUTED_TOGETHER))):
        before = None
        if group:
            memory, state = kept[2 * group - 2 : 2 * group]
            before = Word(memory, memory, state)
        first = group * RECOMPUTED_TOGETHER
        reading = ctx.reading[: first + RECOMPUTED_TOGETHER]
        with torch.autocast(visual.device.type, ctx.dtype, ctx.dtype != weight.dtype):
            words = [*words_read(visual, said, weight, reading, True, first, before)]
        words[-1] = words[-1]._replace(state=words[-1].memory)  # its state has been used already
        while words:
            yield words.pop(), words[-1] if words else before


def _gate_gradients(
    found: Tensor,
    gates: Tensor,
    memory: Tensor,
    memory_before: Tensor | None,
    of_state: Tensor,
    of_memory: Tensor,
) -> None:
    """The gradients of the gates before their activation.

    Args:
        found: where they are written; may be the gates themselves.
        gates: after their activation.
        memory: after the word.
        memory_before: before it, None: it was zero.
        of_state: the gradient of the state after the word.
        of_memory: the gradient of the memory after the word, but for what comes by the state; then
            that of the memory before it.
    """
    input, forget, candidate, output = gates.chunk(4, dim=-1)
    of_input, of_forget, of_candidate, of_output = found.chunk(4, dim=-1)
    sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
    one, other = _fast_tanh(memory), of_state * output  # the only memory that is taken
    tanh.grad_input(other, one, grad_input=other)
    of_memory += other
    one.mul_(of_state)
    sigmoid.grad_input(one, output, grad_input=of_output)
    torch.mul(of_memory, candidate, out=one)
    torch.mul(of_memory, input, out=other)
    sigmoid.grad_input(one, input, grad_input=of_input)
    tanh.grad_input(other, candidate, grad_input=of_candidate)
    if memory_before is None:
        of_forget.zero_()
        return
    torch.mul(of_memory, memory_before, out=one)
    of_memory *= forget
    sigmoid.grad_input(one, forget, grad_input=of_forget)
