"""From logits to the pixel counts of each expression, under one or several protocols."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from refseg.evaluation import Protocol
from refseg.masks import decode
from refseg.types import Batch, RunLengths

Truths = Mapping[RunLengths, Bool[np.ndarray, " height width"]]
"""The mask of each object of a batch, in its image's own size."""


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


def decoded_truths(batch: Batch) -> Truths:
    """The truths of a batch; the mask of an object is decoded once, however many name it."""
    return {truth: decode(truth) for truth in dict.fromkeys(batch.truths)}


def count_pixels(
    batch: Batch,
    predictions: Sequence[Bool[Tensor, " _ _"]],
    protocol: Protocol,
    truths: Truths | None = None,
) -> PixelCounts:
    """Compare the predictions of a batch with the truth.

    Args:
        batch: with the truths.
        predictions: one per expression, on the CPU, as `predict` gives them for the protocol.
        protocol: how masks are brought to the size in which they are compared.
        truths: those of the batch, where they are decoded already.
    """
    decoded = decoded_truths(batch) if truths is None else truths
    masks = {truth: protocol.truth(mask) for truth, mask in decoded.items()}
    areas = {truth: int(np.count_nonzero(mask)) for truth, mask in masks.items()}
    rows = []
    for prediction, truth in zip(predictions, batch.truths, strict=True):
        predicted = prediction.numpy()
        intersection = int(np.count_nonzero(predicted & masks[truth]))
        union = int(np.count_nonzero(predicted)) + areas[truth] - intersection
        rows.append((intersection, union, areas[truth]))
    return PixelCounts(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).unbind(dim=1))
