"""Recurrence over words in exported programs, which are for sentences of any length.

`torch.export` knows no loop of Python over a number of words that is left open. torch's `scan` is
such a loop, and becomes `Scan` in ONNX.
"""

from collections.abc import Callable, Mapping
from typing import no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

States = tuple[Tensor, ...]
Step = Callable[[States, tuple[Tensor, ...]], States]
"""From the states before a word, and what stands for the word, to the states after it."""


def is_number_of_words_open(words: Tensor) -> bool:
    """Whether a program for any number of words is being exported.

    Args:
        words: tokens or vectors, `[expressions words ...]`.
    """
    return torch.compiler.is_exporting() and isinstance(words.shape[1], torch.SymInt)


def scanned(step: Step, states: States, words: tuple[Tensor, ...]) -> States:
    """The states after the last word.

    Args:
        step: computes new tensors, and does not depend on the data in what it does.
        states: before the first word.
        words: what stands for them, each `[words ...]`.
    """
    from torch._higher_order_ops.scan import scan  # takes long to import, and is needed rarely

    @no_type_check  # at run time, which torch cannot look into
    def combine(before: States, word: tuple[Tensor, ...]) -> tuple[States, Tensor]:
        after = step(before, word)
        return after, after[0].flatten()[:1].clone()  # of each step something must be kept

    last, _ = scan(combine, states, tuple(each.contiguous() for each in words), dim=0)
    return last


def scanned_lstm(
    sequences: Float[Tensor, " rows words dim"], weights: Mapping[str, Tensor], layers: int
) -> Float[Tensor, " rows words hidden_dim"]:
    """The state after each word of `torch.nn.LSTM`, whose kernels `torch.export` cannot look into.

    Args:
        sequences: what it reads.
        weights: of the LSTM, by torch's names.
        layers: of the LSTM, one after the other.
    """
    from torch._higher_order_ops.scan import scan

    for layer in range(layers):
        of_input, of_state = weights[f"weight_ih_l{layer}"], weights[f"weight_hh_l{layer}"]
        bias = weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]

        @no_type_check
        def step(
            before: States, said: Tensor, of_state: Tensor = of_state
        ) -> tuple[States, Tensor]:
            state, memory = before
            gates = said + state @ of_state.T
            input, forget, candidate, output = gates.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + input.sigmoid() * candidate.tanh()
            state = output.sigmoid() * memory.tanh()
            return (state, memory), state.clone()

        said = torch.nn.functional.linear(sequences, of_input, bias).transpose(0, 1).contiguous()
        first = (
            sequences.new_zeros(sequences.shape[0], of_state.shape[1]),
            sequences.new_zeros(sequences.shape[0], of_state.shape[1]),
        )
        _, states = scan(step, first, said, dim=0)
        sequences = states.transpose(0, 1)
    return sequences
