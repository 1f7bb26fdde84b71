"""From logits to the pixel counts of each expression, under one or several protocols."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from refseg.data import decode
from refseg.evaluation import Protocol, intersection_and_union
from refseg.types import Batch, RunLengths


class PixelCounts(NamedTuple):
    """What an evaluation counts: a column each, a row per expression of a batch.

    Args:
        intersections: pixels.
        unions: pixels.
        areas: pixels of the true masks, in the size in which the protocol compares.
    """

    intersections: Int64[Tensor, " expressions"]
    unions: Int64[Tensor, " expressions"]
    areas: Int64[Tensor, " expressions"]


def predict(
    batch: Batch, logits: Float[Tensor, " expressions size size"], protocol: Protocol
) -> list[Bool[Tensor, " height width"]]:
    """What is foreground for each expression by the rule of a protocol, on the CPU.

    Each map goes its way alone, so that no other one changes a bit of it.

    Args:
        batch: whose images were fitted into the network's square.
        logits: in network size.
        protocol: how logits become a prediction.
    """
    return [
        protocol.predict(own.clone(), batch.geometries[image]).cpu()
        for own, image in zip(logits, batch.image_index.tolist(), strict=True)
    ]


def count_pixels(
    batch: Batch, predictions: Sequence[Bool[Tensor, " _ _"]], protocol: Protocol
) -> PixelCounts:
    """Compare the predictions of a batch with the truth; the mask of an object is decoded once.

    Args:
        batch: with the truths.
        predictions: one per expression, as `predict` gives them for the protocol.
        protocol: how masks are brought to the size in which they are compared.
    """
    truths: dict[RunLengths, Bool[Tensor, " height width"]] = {
        truth: torch.tensor(protocol.truth(decode(truth))) for truth in set(batch.truths)
    }
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
