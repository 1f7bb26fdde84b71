"""From predictions to the pixel counts of each expression."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from refseg.data import decode
from refseg.evaluation import intersection_and_union
from refseg.types import Batch


class PixelCounts(NamedTuple):
    """What an evaluation counts: a column each, a row per expression of a batch.

    Args:
        intersections: pixels.
        unions: pixels.
        areas: pixels of the true masks.
    """

    intersections: Int64[Tensor, " expressions"]
    unions: Int64[Tensor, " expressions"]
    areas: Int64[Tensor, " expressions"]


def count_pixels(batch: Batch, predictions: Sequence[Bool[Tensor, " _ _"]]) -> PixelCounts:
    """Compare the predictions of a batch with the truth; the mask of an object is decoded once.

    Args:
        batch: with the truths.
        predictions: one per expression, in its image's own size.
    """
    truths = {truth: torch.from_numpy(decode(truth)) for truth in set(batch.truths)}
    areas = {truth: mask.sum() for truth, mask in truths.items()}
    counts = [
        intersection_and_union(prediction[None], truths[truth][None])
        for prediction, truth in zip(predictions, batch.truths, strict=True)
    ]
    return PixelCounts(
        torch.cat([intersection for intersection, _ in counts]),
        torch.cat([union for _, union in counts]),
        torch.stack([areas[truth] for truth in batch.truths]),
    )
