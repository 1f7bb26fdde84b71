"""How near a computation comes to its limit, and how far it leaves the plain way behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from refseg.benchmarks.flops_and_memory import count_flops, peak_memory
from refseg.benchmarks.turns import (
    Computation,
    Spread,
    clock_of,
    computing_threads,
    ratios,
    seconds_in_turns,
)

Results = Mapping[str, Tensor]
"""What a computation gives, by name: logits or a state, and gradients."""


@dataclass(frozen=True)
class Comparison:
    """The same computation in three ways.

    Args:
        name: of the case.
        ours: as the package does it.
        reference: the plain way, that of the usual code. Its results are the same.
        limit: what cannot be left out, run alone: its time is a lower bound.
        modules: whose weights take part.
        inputs: what is given, and is no part of the memory that is needed.
    """

    name: str
    ours: Callable[[], Results]
    reference: Callable[[], Results]
    limit: Computation
    modules: nn.Module
    inputs: Sequence[Tensor]


@dataclass(frozen=True)
class LimitFigures:
    """What a comparison found.

    Args:
        name: of the case.
        parameters: numbers that the weights are.
        flops: floating-point operations, ours.
        reference_flops: the same of the reference.
        memory: at its peak, without weights and inputs, ours, bytes.
        reference_memory: the same of the reference.
        difference: between the results, as a share of the largest number of each.
        ours: seconds.
        reference: seconds.
        limit: seconds.
        speedup: times that the reference takes longer than ours.
        to_limit: times that ours takes longer than the limit.
    """

    name: str
    parameters: int
    flops: int
    reference_flops: int
    memory: int
    reference_memory: int
    difference: float
    ours: Spread
    reference: Spread
    limit: Spread
    speedup: Spread
    to_limit: Spread


def measure_limits(
    comparison: Comparison,
    rounds: int = 3,
    threads: int = 1,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> LimitFigures:
    """Let a computation, its reference and its limit take turns, and count what they take.

    Args:
        comparison: of the three, on the device.
        rounds: of measuring.
        threads: that a CPU computes with.
        device: `cpu` or `cuda`.
        say: called with what is done next.
    """
    place = torch.device(device)
    ways = comparison.ours, comparison.reference
    found: list[dict[str, Tensor]] = [{}, {}]
    with computing_threads(threads):
        say("Counting operations")
        counted = [
            count_flops(lambda way=way, kept=kept: kept.update(way()))  # type: ignore[misc]  # called at once
            for way, kept in zip(ways, found, strict=True)
        ]
        say("Counting memory")
        there = [
            *comparison.modules.parameters(),
            *comparison.modules.buffers(),
            *comparison.inputs,
        ]
        memory = [peak_memory(way, there, place) for way in ways]
        clock = clock_of(threads, place)
        times = seconds_in_turns([*ways, comparison.limit], rounds, place, clock, say)
    ours, reference, limit = times
    return LimitFigures(
        name=comparison.name,
        parameters=sum(weight.numel() for weight in comparison.modules.parameters()),
        flops=counted[0],
        reference_flops=counted[1],
        memory=memory[0],
        reference_memory=memory[1],
        difference=largest_difference(*found),
        ours=Spread.of(ours),
        reference=Spread.of(reference),
        limit=Spread.of(limit),
        speedup=ratios(reference, ours),
        to_limit=ratios(ours, limit),
    )


def largest_difference(ours: Results, reference: Results) -> float:
    """The largest difference between results, as a share of the largest number of each.

    Args:
        ours: by name.
        reference: under the same names.

    Example:
        >>> largest_difference({"a": torch.tensor([1.0, 4.0])}, {"a": torch.tensor([2.0, 4.0])})
        0.25
    """
    shares = [
        (ours[name] - expected).abs().max() / expected.abs().max()
        for name, expected in reference.items()
    ]
    assert ours.keys() == reference.keys()
    return max(share.item() for share in shares)


def gradients(modules: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of weights and inputs, which are taken away, so that the next ones start anew.

    Args:
        modules: with the weights.
        inputs: by name.
    """
    taken = {}
    for name, tensor in chain(modules.named_parameters(), inputs.items()):
        if tensor.grad is not None:
            taken[f"gradient of {name}"] = tensor.grad
            tensor.grad = None
    return taken
