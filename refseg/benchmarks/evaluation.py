"""What evaluation costs beside the network: time, and memory that must not grow."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import psutil
import torch
from jaxtyping import Float

from refseg.benchmarks.synthetic_batch import (
    HEIGHT,
    SIDE,
    SPLIT,
    WIDTH,
    generated_references,
    synthetic_batch,
)
from refseg.data.statistics.expression_columns import ExpressionColumns
from refseg.evaluation import STANDARD, ReferringMetrics
from refseg.evaluation.counting import count_pixels, decoded_truths
from refseg.evaluation.measures import MeasureFile
from refseg.evaluation.predictions import check_logits, predict
from refseg.evaluation.results import RESULTS_FILE, RLE, writing_results
from refseg.training.result_rows import result_rows
from refseg.types import Batch

WARM_UP = 32
"""Batches after which memory is first looked at: by then the allocator has what it needs."""


class EvaluationFigures(NamedTuple):
    """What an evaluation of generated logits took.

    Args:
        expressions: number of them.
        seconds: of computing, for all that follows the network.
        rows_seconds: the part of it at the end: results and figures.
        memory: the most that the process had in its first batches, bytes.
        growth: how much more than that it had later on, bytes.
        growth_at_end: the same, while results were put together and written.
        overall_iou: so that one sees that something was counted.
    """

    expressions: int
    seconds: float
    rows_seconds: float
    memory: int
    growth: int
    growth_at_end: int
    overall_iou: float


def measure_evaluation(
    expressions: int,
    per_batch: int = 16,
    height: int = HEIGHT,
    width: int = WIDTH,
    side: int = SIDE,
) -> EvaluationFigures:
    """Bring logits to the image's own size, count, score, divide, and write results.

    The logits are generated: all that a run does after the network is the same, its data left out.

    Args:
        expressions: number of them; rounded up to whole batches.
        per_batch: of them, on one image.
        height: of the image, pixels.
        width: of the image, pixels.
        side: of the network's square, pixels.
    """
    batch, logits = synthetic_batch(per_batch, height, width, side)
    batches = -(-expressions // per_batch)
    columns = ExpressionColumns(generated_references(batch, batches))
    metrics = ReferringMetrics()
    memory = [0, 0, 0]  # the most in the first batches, later, and at the end
    with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
        measures = MeasureFile(Path(folder, "measures.arrow"))
        seconds = 0.0
        for number in range(batches):
            started = time.process_time()  # not while looking at the memory, which takes long
            evaluate_batch(batch, logits, number * per_batch, metrics, measures)
            seconds += time.process_time() - started
            later = int(number >= WARM_UP)
            memory[later] = max(memory[later], _memory())
        measures.close()
        started = time.process_time()
        with writing_results(Path(folder, RESULTS_FILE)) as write:
            for rows in result_rows([measures.path], 0, columns, SPLIT):
                write(rows.drop([RLE.name]))
                memory[2] = max(memory[2], _memory())
        overall = metrics.compute()["overall_iou"].item()
        rows_seconds = time.process_time() - started
        memory[2] = max(memory[2], _memory())
    return EvaluationFigures(
        expressions=batches * per_batch,
        seconds=seconds + rows_seconds,
        rows_seconds=rows_seconds,
        memory=memory[0],
        growth=max(0, memory[1] - memory[0]),
        growth_at_end=max(0, memory[2] - memory[0]),
        overall_iou=overall,
    )


@contextmanager
def on_one_core() -> Iterator[None]:
    """Let torch and OpenCV compute in one thread, so that computing times can be compared."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def evaluate_batch(
    batch: Batch,
    logits: Float[torch.Tensor, " expressions size size"],
    first_id: int,
    metrics: ReferringMetrics,
    measures: MeasureFile,
) -> None:
    """What `validate` and `test` do with the logits of a batch.

    Args:
        batch: with the truths.
        logits: in network size.
        first_id: of its expressions, which are counted up from there.
        metrics: that count.
        measures: where rows are written.
    """
    check_logits(batch, logits)
    predictions, scores = predict(batch, logits, STANDARD.rule)
    counts = count_pixels(batch, predictions, STANDARD, decoded_truths(batch))
    ids = range(first_id, first_id + len(batch))
    metrics.update(counts.intersections, counts.unions, ids, counts.areas)
    measures.add(
        0,
        expression_id=ids,
        intersection=counts.intersections.numpy(),
        union=counts.unions.numpy(),
        area=counts.areas.numpy(),
        score=scores.numpy(),
    )


def _memory() -> int:
    """What this process has, bytes."""
    return int(psutil.Process().memory_info().rss)
