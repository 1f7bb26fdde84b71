"""Computations that take turns, so that their times can be compared on a machine that drifts."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from statistics import median
from typing import NamedTuple

import torch

ROUND_SECONDS = 0.2
"""What is measured is repeated for about so long in a round."""

Computation = Callable[[], object]


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


@contextmanager
def computing_threads(number: int) -> Iterator[None]:
    """Let torch compute with so many threads on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clock_of(threads: int, device: torch.device) -> Callable[[], float]:
    """What tells the seconds.

    Of one thread those that it computes, in which no other program has a share; else those that
    pass.

    Args:
        threads: that a CPU computes with.
        device: that computes.
    """
    is_alone = threads == 1 and device.type == "cpu"
    return time.process_time if is_alone else time.perf_counter


def seconds_in_turns(
    computations: Sequence[Computation],
    rounds: int,
    device: torch.device,
    clock: Callable[[], float],
    say: Callable[[str], None] = lambda text: None,
) -> list[list[float]]:
    """Let computations take turns, after each was done to warm up.

    Args:
        computations: in the order of the first round; each other round goes the other way, so that
            nobody always follows the same one.
        rounds: of measuring.
        device: that computes.
        clock: that tells the seconds.
        say: called with what is done next.

    Returns:
        For each computation its seconds in each round.
    """

    def seconds(compute: Computation, repeats: int) -> float:
        started = clock()
        for _ in range(repeats):
            compute()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (clock() - started) / repeats

    say("Warming up")
    repeats = []
    for compute in computations:
        taken = seconds(compute, 1)
        if taken < ROUND_SECONDS:  # the first time makes what later ones find
            taken = max(seconds(compute, 1), 1e-9)
        repeats.append(max(1, ceil(ROUND_SECONDS / taken)))
    times: list[list[float]] = [[] for _ in computations]
    order = list(range(len(computations)))
    for number in range(rounds):
        say(f"Measuring, round {number + 1} of {rounds}")
        for place in order:
            times[place].append(seconds(computations[place], repeats[place]))
        order.reverse()
    return times


def ratios(seconds: Sequence[float], others: Sequence[float]) -> Spread:
    """Of times of the same rounds."""
    return Spread.of(a / b for a, b in zip(seconds, others, strict=True))
