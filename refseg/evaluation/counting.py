"""From masks and truths to the pixel counts of each expression: the one place for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from refseg.errors import PredictionError
from refseg.evaluation.predictions import predict_masks
from refseg.evaluation.protocols import STANDARD, Protocol
from refseg.masks import decode
from refseg.types import Batch, Output, RunLengths

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


def decoded_truths(batch: Batch) -> Truths:
    """The truths of a batch; the mask of an object is decoded once, however many name it."""
    return {truth: decode(truth) for truth in dict.fromkeys(batch.truths)}


def count_pixels(
    batch: Batch,
    predictions: Sequence[Bool[Tensor, " _ _"]],
    protocol: Protocol = STANDARD,
    truths: Truths | None = None,
    nothing: Bool[Tensor, " expressions"] | None = None,
) -> PixelCounts:
    """Compare the predictions of a batch with the truth.

    Args:
        batch: with the truths.
        predictions: one per expression, on the CPU, as the rule of the protocol gives them: of the
            standard one in each image's own size, which may differ within a batch.
        protocol: how masks are brought to the size in which they are compared.
        truths: those of the batch, where they are decoded already.
        nothing: where the model says that nothing is meant, and withdraws its mask. By a
            `generalized` protocol such a mask hits nothing, and goes on counting in the union if
            something is named: then the area is the union, too, so that nothing is predicted.

    Raises:
        PredictionError: there is not one mask for each expression, or a mask has another size than
            the true one.
    """
    if len(predictions) != len(batch.truths):
        raise PredictionError(
            f"Expected a mask for each of {len(batch.truths)} expressions of a batch, got "
            f"{len(predictions)}."
        )
    decoded = decoded_truths(batch) if truths is None else truths
    masks = {truth: protocol.truth(mask) for truth, mask in decoded.items()}
    areas = {truth: int(np.count_nonzero(mask)) for truth, mask in masks.items()}
    rows = []
    for number, (prediction, truth) in enumerate(zip(predictions, batch.truths, strict=True)):
        predicted, mask = prediction.numpy(), masks[truth]
        if predicted.shape != mask.shape:
            raise PredictionError(_wrong_size(batch, number, mask.shape, predicted.shape))
        intersection = int(np.count_nonzero(predicted & mask))
        union = int(np.count_nonzero(predicted)) + areas[truth] - intersection
        area = areas[truth]
        if protocol.generalized:
            is_named = bool(decoded[truth].any())
            if nothing is not None and nothing[number]:
                intersection, union, area = 0, union * is_named, union
            area = max(area, 1) * is_named  # an object that is squashed to nothing is named as well
        rows.append((intersection, union, area))
    return PixelCounts(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).unbind(dim=1))


def count_by_protocols(
    batch: Batch,
    predictions: Sequence[Bool[Tensor, " _ _"]],
    protocols: Sequence[Protocol],
    output: Output | None = None,
    truths: Truths | None = None,
) -> dict[Protocol, PixelCounts]:
    """Compare the same predictions with the truth in several ways.

    Args:
        batch: with the truths.
        predictions: by the standard rule, in each image's own size, on the CPU.
        protocols: how is counted.
        output: what the network answered, from which each protocol makes masks by its own rule;
            None: nothing but the masks is known, and they are counted as they are.
        truths: those of the batch, where they are decoded already.

    Returns:
        The counts by each of the protocols, and by the standard one in any case.

    Raises:
        PredictionError: there is not one mask for each expression, or a mask has another size than
            the true one.
    """
    truths = decoded_truths(batch) if truths is None else truths
    found = {STANDARD: count_pixels(batch, predictions, STANDARD, truths)}
    for protocol in protocols:
        if protocol is STANDARD:
            continue
        if output is None:
            compared = [torch.from_numpy(protocol.truth(one.numpy()).copy()) for one in predictions]
            found[protocol] = count_pixels(batch, compared, protocol, truths)
            continue
        masks = predictions
        if protocol.generalized:
            masks = predict_masks(batch, output.logits.float(), protocol.rule)
        elif protocol.rule is not STANDARD.rule:
            masks = predict_masks(batch, output.segmentation(), protocol.rule)
        found[protocol] = count_pixels(batch, masks, protocol, truths, output.nothing)
    return found


def _wrong_size(
    batch: Batch, number: int, expected: tuple[int, ...], found: tuple[int, ...]
) -> str:
    image = batch.image_paths[int(batch.image_index[number])]
    sizes = (" × ".join(map(str, size)) for size in (expected, found))
    return "Expected a mask of {} pixels (height × width), got {}".format(*sizes) + (
        f" for {image} [{batch.expression_ids[number]}] {batch.expressions[number]!r}; give each "
        "mask in its image's own size."
    )
