"""How much longer an evaluation takes than the forward passes of a network alone."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from refseg.benchmarks.evaluation import measure_evaluation
from refseg.benchmarks.synthetic_batch import synthetic_batch
from refseg.inference.pipeline import load
from refseg.types import Batch

EXPRESSIONS = 1000
"""So many are evaluated in a round, so that writing results has its usual share."""

ROUND_SECONDS = 0.2
"""Forward passes are repeated for as long as this in a round."""

WORDS = 5  # of an expression, as in RefCOCO


class Overhead(NamedTuple):
    """What evaluating takes beside a network.

    Args:
        network_seconds: of computing, for the forward passes of an expression; median of rounds.
        overhead: how much longer it takes with all the rest, as a share of the forward passes;
            median of the ratios of each round.
    """

    network_seconds: float
    overhead: float


def measure_overhead(
    checkpoint: Path, height: int, width: int, rounds: int = 7
) -> dict[str, Overhead]:
    """Evaluate, and let the network compute, in turns on the CPU.

    A machine is now faster, now slower, so that only times measured beside each other compare.

    Args:
        checkpoint: whose network it is, and whose sizes and tokens it gets.
        height: of the images, pixels.
        width: of the images, pixels.
        rounds: of both.

    Returns:
        `one by one`: each expression by itself, as an evaluation does by default; `together`: all
        of an image at once (`exact_evaluation: false`).

    Raises:
        CheckpointError: the file is no checkpoint.
    """
    model = load(checkpoint)
    batch, _ = synthetic_batch(16, side=model.image_size)
    batch = replace(
        batch,
        tokens=torch.ones(len(batch), WORDS, dtype=torch.int64),
        token_mask=torch.ones(len(batch), WORDS, dtype=torch.bool),
    )
    passes: dict[str, Callable[[Batch], object]] = {
        "one by one": model.segmenter.one_by_one,
        "together": model.segmenter,
    }
    measured: dict[str, list[Overhead]] = {name: [] for name in passes}
    for number in range(rounds + 1):
        rest = measure_evaluation(EXPRESSIONS, height=height, width=width, side=model.image_size)
        for name, forward in passes.items():
            network = _seconds(forward, batch)
            if number:  # the first one warms up
                overhead = rest.seconds / rest.expressions / network
                measured[name].append(Overhead(network, overhead))
    return {
        name: Overhead(*(median(column) for column in zip(*found, strict=True)))
        for name, found in measured.items()
    }


def image_size(checkpoint: Path) -> int:
    """The side of the square that a checkpoint's network sees, pixels."""
    return load(checkpoint).image_size


@torch.inference_mode()
def _seconds(forward: Callable[[Batch], object], batch: Batch) -> float:
    """For an expression."""
    passes, started = 0, time.process_time()
    while passes == 0 or time.process_time() - started < ROUND_SECONDS:
        forward(batch)
        passes += 1
    return (time.process_time() - started) / (passes * len(batch))
