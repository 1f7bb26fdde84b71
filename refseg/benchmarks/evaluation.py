"""What evaluation costs beside the network: time, and memory that must not grow."""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from refseg.counting import count_pixels, predict
from refseg.data import encode
from refseg.evaluation import STANDARD, ReferringMetrics
from refseg.evaluation.measures import MeasureFile, merged
from refseg.geometry import Geometry
from refseg.pipeline import load
from refseg.scoring import mean_probabilities
from refseg.types import Batch, RunLengths

HEIGHT, WIDTH, SIDE = 480, 640, 320
MEMORY_BYTES = 10_000_000
"""So much more memory may ten times as many expressions take: 100 bytes for each of 100,000."""


class EvaluationFigures(NamedTuple):
    """What an evaluation of generated logits took.

    Args:
        expressions: number of them.
        seconds: for all that follows the network, by the clock.
        growth: bytes by which the most memory of the process grew after its first batch.
        overall_iou: so that one sees that something was counted.
    """

    expressions: int
    seconds: float
    growth: int
    overall_iou: float


def measure_evaluation(expressions: int, per_batch: int = 16) -> EvaluationFigures:
    """Bring logits to the image's own size, count, score, write, merge and divide.

    The logits are generated: all that a run does after the network is the same, its data left out.

    Args:
        expressions: number of them; rounded up to whole batches.
        per_batch: of them, on one image.
    """
    batch, logits = generated_batch(per_batch)
    metrics = ReferringMetrics()
    batches = -(-expressions // per_batch)
    with tempfile.TemporaryDirectory(prefix="refseg-bench-") as folder:
        measures = MeasureFile(Path(folder, "measures.arrow"))
        started, peak = time.perf_counter(), 0
        for number in range(batches):
            evaluate_batch(batch, logits, number * per_batch, metrics, measures)
            peak = peak or peak_memory()
        measures.close()
        rows = sum(len(table) for table in merged([measures.path], loader=0))
        overall = metrics.compute()["overall_iou"].item()
        seconds = time.perf_counter() - started
    assert rows == batches * per_batch
    return EvaluationFigures(rows, seconds, peak_memory() - peak, overall)


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
    predictions = predict(batch, logits, STANDARD)
    counts = count_pixels(batch, predictions, STANDARD)
    ids = range(first_id, first_id + len(batch))
    metrics.update(counts.intersections, counts.unions, list(ids), counts.areas)
    measures.add(
        0,
        expression_id=list(ids),
        intersection=counts.intersections.tolist(),
        union=counts.unions.tolist(),
        area=counts.areas.tolist(),
        score=mean_probabilities(batch, logits, predictions).tolist(),
        rle=[None] * len(batch),
    )


def generated_batch(
    expressions: int, height: int = HEIGHT, width: int = WIDTH, side: int = SIDE
) -> tuple[Batch, Float[torch.Tensor, " expressions size size"]]:
    """An image with ellipses, three expressions for each, and logits that nearly find them.

    Args:
        expressions: number of them.
        height: of the image, pixels.
        width: of the image, pixels.
        side: of the network's square, pixels.
    """
    generator = np.random.default_rng(0)
    geometry = Geometry.letterbox(height, width, side)
    truths: list[RunLengths] = []
    logits = []
    for _ in range(-(-expressions // 3)):
        y, x, radius = generator.uniform(0.3, 0.7), generator.uniform(0.3, 0.7), 0.2
        truths += [encode(_distance(height, width, y, x) < radius)] * 3
        away = _distance(side, side, 0.5 + (y - 0.5) * height / width, x + 0.02)
        logits += [torch.from_numpy((radius - away) * 40).float()] * 3
    batch = Batch(
        images=torch.zeros(1, 3, side, side, dtype=torch.uint8),
        tokens=torch.zeros(expressions, 1, dtype=torch.int64),
        token_mask=torch.ones(expressions, 1, dtype=torch.bool),
        image_index=torch.zeros(expressions, dtype=torch.int64),
        masks=None,
        expressions=("ellipse",) * expressions,
        expression_ids=tuple(range(expressions)),
        truths=tuple(truths[:expressions]),
        geometries=(geometry,),
        image_paths=("generated",),
    )
    return batch, torch.stack(logits[:expressions])


def network_seconds(checkpoint: Path, expressions: int = 16, repeats: int = 3) -> float:
    """The time of the network alone for each expression of a batch, on the CPU, fastest of a few.

    Args:
        checkpoint: whose network it is, and whose sizes and tokens it gets.
        expressions: on one image.
        repeats: of the measurement.

    Raises:
        CheckpointError: the file is no checkpoint.
    """
    model = load(checkpoint)
    side, words = model.image_size, 5
    batch, _ = generated_batch(expressions, side=side)
    batch = replace(
        batch,
        tokens=torch.ones(expressions, words, dtype=torch.int64),
        token_mask=torch.ones(expressions, words, dtype=torch.bool),
    )
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 1):  # the first one warms up
            started = time.perf_counter()
            model.segmenter(batch)
            times.append(time.perf_counter() - started)
    return min(times[1:]) / expressions


def peak_memory() -> int:
    """The most memory that this process has had, bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _distance(height: int, width: int, y: float, x: float) -> Float[np.ndarray, " rows columns"]:
    rows, columns = np.mgrid[:height, :width]
    return np.hypot((rows + 0.5) / height - y, (columns + 0.5) / width - x)
