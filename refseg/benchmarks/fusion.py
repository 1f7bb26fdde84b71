"""What each fusion costs: weights, operations, memory, and time, measured in turns."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import ceil
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from refseg.benchmarks.flops_and_memory import count_flops, peak_memory
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch

ROUND_SECONDS = 0.2
"""What is measured is repeated for about so long in a round."""


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


class Spread(NamedTuple):
    """Several measurements of the same.

    Args:
        median: of them.
        least: of them.
        most: of them.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of some measurements.

        Example:
            >>> Spread.of([3.0, 1.0, 2.0])
            Spread(median=2.0, least=1.0, most=3.0)
        """
        found = sorted(values)
        return cls(median(found), found[0], found[-1])


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
        # With one thread the time that it computes, in which no other program has a share.
        clock = time.process_time if threads == 1 and device == "cpu" else time.perf_counter
        times = _in_turns([_computations(case) for case in cases], rounds, place, clock, say)
        say("Counting operations and memory")
        return [
            _figures(case, _memory(case, place), own, times[0])
            for case, own in zip(cases, times, strict=True)
        ]


@contextmanager
def computing_threads(number: int) -> Iterator[None]:
    """Let torch compute with so many threads on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        forward_ratio=_ratio(forward, first[0]),
        training=_per_expression(training, case),
        training_ratio=_ratio(training, first[1]),
        one_per_image=_per_expression(one_per_image, case),
        one_per_image_ratio=_ratio(one_per_image, forward),
    )


def _per_expression(seconds: Sequence[float], case: Case) -> Spread:
    return Spread.of(value / len(case.batch) for value in seconds)


def _ratio(seconds: Sequence[float], others: Sequence[float]) -> Spread:
    return Spread.of(a / b for a, b in zip(seconds, others, strict=True))


_Times = tuple[list[float], list[float], list[float]]
"""Seconds of the three computations of a case, by round."""

_Computations = tuple[Callable[[], object], ...]


def _computations(case: Case) -> _Computations:
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


def _in_turns(
    cases: Sequence[_Computations],
    rounds: int,
    device: torch.device,
    clock: Callable[[], float],
    say: Callable[[str], None],
) -> list[_Times]:
    """Seconds by case, computation and round."""

    def seconds(compute: Callable[[], object], repeats: int) -> float:
        started = clock()
        for _ in range(repeats):
            compute()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (clock() - started) / repeats

    say("Warming up")
    repeats = [
        [max(1, ceil(ROUND_SECONDS / _warm(seconds, compute))) for compute in case]
        for case in cases
    ]
    times: list[_Times] = [([], [], []) for _ in cases]
    order = list(range(len(cases)))
    for number in range(rounds):
        say(f"Measuring, round {number + 1} of {rounds}")
        for kind in range(len(cases[0])):
            for place in order:
                taken = seconds(cases[place][kind], repeats[place][kind])
                times[place][kind].append(taken)
        order.reverse()  # so that nobody always follows the same one
    return times


def _warm(
    seconds: Callable[[Callable[[], object], int], float], compute: Callable[[], object]
) -> float:
    """Seconds of the second time: the first one makes what later ones find."""
    seconds(compute, 1)
    return max(seconds(compute, 1), 1e-9)
