"""What each fusion costs: weights, operations, memory, and time, measured in turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

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
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch


class Case(NamedTuple):
    """A network with a fusion, and what it is given.

    Args:
        name: of the fusion.
        module: the network with its loss.
        batch: several expressions look at each image.
        one_per_image: the same expressions, each of which looks at an image of its own.
    """

    name: str
    module: ReferringSegmentation
    batch: Batch
    one_per_image: Batch


@dataclass(frozen=True)
class FusionFigures:
    """What a fusion costs, with its network.

    Seconds are those of one expression of a batch. A ratio is that of two times of the same round:
    a machine is now faster, now slower, so that only times measured beside each other compare.

    Args:
        name: of the fusion.
        sites: stages of the backbone after which it speaks; from the first one on, the backbone is
            computed for each expression.
        parameters: of the network.
        fusion_parameters: of fusion and decoder alone.
        flops: of a forward pass, for an expression.
        one_per_image_flops: the same, where each expression has an image of its own.
        memory: of a training step at its peak, for the whole batch, without weights, bytes.
        forward: seconds of a forward pass.
        forward_ratio: of it to that of the first fusion.
        training: seconds of a forward and a backward pass with the loss.
        training_ratio: of it to that of the first fusion.
        one_per_image: seconds of a forward pass where each expression has an image of its own.
        one_per_image_ratio: of it to `forward`.
    """

    name: str
    sites: tuple[int, ...]
    parameters: int
    fusion_parameters: int
    flops: float
    one_per_image_flops: float
    memory: int
    forward: Spread
    forward_ratio: Spread
    training: Spread
    training_ratio: Spread
    one_per_image: Spread
    one_per_image_ratio: Spread


def measure_fusions(
    cases: Sequence[Case],
    rounds: int = 7,
    threads: int = 1,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> list[FusionFigures]:
    """Let fusions compute in turns, and count what they take.

    Args:
        cases: at least one; ratios are those to the first.
        rounds: in each of which every fusion has its turn.
        threads: that a CPU computes with.
        device: `cpu` or `cuda`.
        say: called with what is done next.
    """
    place = torch.device(device)
    cases = [
        Case(case.name, case.module.to(place), case.batch.to(place), case.one_per_image.to(place))
        for case in cases
    ]
    with computing_threads(threads):
        kinds = zip(*map(_computations, cases), strict=True)
        computations = [compute for kind in kinds for compute in kind]
        clock = clock_of(threads, place)
        seconds = seconds_in_turns(computations, rounds, place, clock, say)
        times = [_Times(*seconds[number :: len(cases)]) for number in range(len(cases))]
        say("Counting operations and memory")
        return [
            _figures(case, _memory(case, place), own, times[0])
            for case, own in zip(cases, times, strict=True)
        ]


def number_of_parameters(*parts: nn.Module) -> int:
    """How many numbers the weights of some parts are, trained or not."""
    return sum(weight.numel() for part in parts for weight in part.parameters())


def _figures(case: Case, memory: int, times: "_Times", first: "_Times") -> FusionFigures:
    network = case.module.segmenter
    forward, training, one_per_image = times
    return FusionFigures(
        name=case.name,
        sites=tuple(network.fusion.sites),
        parameters=number_of_parameters(network),
        fusion_parameters=number_of_parameters(network.fusion, network.decoder),
        flops=_flops(case.module, case.batch),
        one_per_image_flops=_flops(case.module, case.one_per_image),
        memory=memory,
        forward=_per_expression(forward, case),
        forward_ratio=ratios(forward, first.forward),
        training=_per_expression(training, case),
        training_ratio=ratios(training, first.training),
        one_per_image=_per_expression(one_per_image, case),
        one_per_image_ratio=ratios(one_per_image, forward),
    )


def _per_expression(seconds: Sequence[float], case: Case) -> Spread:
    return Spread.of(value / len(case.batch) for value in seconds)


class _Times(NamedTuple):
    """Seconds of the three computations of a case, by round."""

    forward: list[float]
    training: list[float]
    one_per_image: list[float]


def _computations(case: Case) -> tuple[Computation, ...]:
    return (
        partial(_forward, case.module, case.batch),
        partial(_train, case.module, case.batch),
        partial(_forward, case.module, case.one_per_image),
    )


@torch.inference_mode()
def _forward(module: ReferringSegmentation, batch: Batch) -> None:
    module.eval()
    module.segmenter(batch)


def _train(module: ReferringSegmentation, batch: Batch) -> None:
    module.train()
    module.loss_of(batch).backward()
    module.zero_grad()


def _flops(module: ReferringSegmentation, batch: Batch) -> float:
    """Of a forward pass, for an expression."""
    module.eval()
    return count_flops(partial(module.segmenter, batch)) / len(batch)


def _memory(case: Case, device: torch.device) -> int:
    module = case.module
    inputs = (value for value in vars(case.batch).values() if isinstance(value, Tensor))
    there_before = [*chain(module.parameters(), module.buffers(), inputs)]
    return peak_memory(partial(_train, module, case.batch), there_before, device)
