"""Overall IoU, mean IoU and precision@X, counted in pixels and divided once.

Pixel counts stay integers up to the division, so that the figures do not depend on batches, their
order, or the number of processes. The divisions are float64: the functions need a device that has
it; `ReferringMetrics` divides on the CPU.

The rule for an empty union: where an expression's mask and prediction are both empty they agree,
so its IoU is 1 and it is a hit at every threshold. In overall IoU it adds nothing to either sum.
Other codes call it 0 (`empty`), or divide by a little more than the union (`epsilon`): the
arguments with defaults are there to count as they do (`refseg.evaluation.protocols`).
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor


def intersection_and_union(
    predictions: Bool[Tensor, " expressions height width"],
    masks: Bool[Tensor, " expressions height width"],
) -> tuple[Int64[Tensor, " expressions"], Int64[Tensor, " expressions"]]:
    """Count the pixels that prediction and mask share, and those that either of them has.

    Args:
        predictions: what the model calls foreground, in the image's own size.
        masks: the true segmentations, in the same size.

    Returns:
        The intersection and the union of each expression, in pixels.

    Example:
        >>> prediction = torch.tensor([[[True, True, False]]])
        >>> mask = torch.tensor([[[False, True, True]]])
        >>> intersection_and_union(prediction, mask)
        (tensor([1]), tensor([3]))
    """
    intersections = (predictions & masks).sum(dim=(1, 2))
    unions = (predictions | masks).sum(dim=(1, 2))
    return intersections, unions


def iou(
    intersections: Int64[Tensor, " expressions"],
    unions: Int64[Tensor, " expressions"],
    empty: float = 1.0,
    epsilon: float = 0.0,
) -> Float64[Tensor, " expressions"]:
    """Divide intersection by union, expression by expression; an empty union gives 1.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.
        empty: the IoU of an empty union.
        epsilon: added to every union, pixels.

    Example:
        >>> iou(torch.tensor([1, 0, 0]), torch.tensor([4, 7, 0]))
        tensor([0.2500, 0.0000, 1.0000], dtype=torch.float64)
        >>> iou(torch.tensor([0]), torch.tensor([0]), empty=0.0)
        tensor([0.], dtype=torch.float64)
    """
    divisors = unions.clamp(min=1).double() + epsilon
    return torch.where(unions > 0, intersections.double() / divisors, empty)


def merge_repeats(
    expression_ids: Int64[Tensor, " rows"],
    intersections: Int64[Tensor, " rows"],
    unions: Int64[Tensor, " rows"],
) -> Int64[Tensor, " expressions"]:
    """Choose one row for each expression, by rising id: of repeats that with the lowest IoU.

    A distributed sampler repeats samples until all processes have the same number, and the repeats
    need not agree: in another batch, and in reduced precision, a pixel at the boundary may tip
    over. The choice does not depend on the order of the rows.

    Args:
        expression_ids: unique within the data set.
        intersections: pixels, on the CPU like the others.
        unions: pixels.

    Returns:
        The numbers of the rows.

    Example:
        >>> merge_repeats(torch.tensor([8, 7, 8]), torch.tensor([3, 1, 2]), torch.tensor([4, 4, 4]))
        tensor([1, 2])
    """
    values = iou(intersections, unions)
    order = np.lexsort([column.numpy() for column in (unions, values, expression_ids)])
    ids = expression_ids.numpy()[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = ids[1:] != ids[:-1]
    return torch.from_numpy(order[is_first])


def overall_iou(
    intersections: Int64[Tensor, " expressions"], unions: Int64[Tensor, " expressions"]
) -> Float64[Tensor, ""]:
    """Divide the sum of all intersections by the sum of all unions.

    Large objects weigh more than small ones. The papers call it IoU or overall IoU, some later ones
    and gRefCOCO cIoU; it is not the mean IoU. Where all unions are empty it is 1.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.

    Example:
        >>> overall_iou(torch.tensor([1, 50]), torch.tensor([4, 96]))
        tensor(0.5100, dtype=torch.float64)
    """
    return iou(intersections.sum()[None], unions.sum()[None])[0]


def mean_iou(
    intersections: Int64[Tensor, " expressions"],
    unions: Int64[Tensor, " expressions"],
    empty: float = 1.0,
    epsilon: float = 0.0,
) -> Float64[Tensor, ""]:
    """Average the IoU of the expressions, each with the same weight.

    The mean of no expression at all is NaN. Of a set with expressions that name nothing it is what
    gRefCOCO calls gIoU.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.
        empty: the IoU of an empty union.
        epsilon: added to every union, pixels.

    Example:
        >>> mean_iou(torch.tensor([1, 50]), torch.tensor([4, 100]))
        tensor(0.3750, dtype=torch.float64)
    """
    values = iou(intersections, unions, empty, epsilon).tolist()
    # fsum rounds once, at the end: no order and no number of threads changes a bit.
    mean = math.fsum(values) / len(values) if values else math.nan
    return torch.tensor(mean, dtype=torch.float64, device=unions.device)


def precision_at(
    intersections: Int64[Tensor, " expressions"],
    unions: Int64[Tensor, " expressions"],
    threshold: float,
    empty: float = 1.0,
    strict: bool = False,
    epsilon: float = 0.0,
) -> Float64[Tensor, ""]:
    """Return the share of the expressions whose IoU reaches a threshold (IoU ≥ threshold).

    The comparison is exact. A float64 quotient is the float64 nearest to the true one, so an IoU of
    3/5 equals the literal 0.6; any other fraction with a union below 10¹³ pixels differs from 0.6
    by far more than rounding can hide.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.
        threshold: IoU from which an expression counts as found, [0, 1].
        empty: the IoU of an empty union.
        strict: an IoU equal to the threshold is no hit (IoU > threshold).
        epsilon: added to every union, pixels.

    Example:
        >>> precision_at(torch.tensor([3, 1, 0]), torch.tensor([5, 5, 0]), threshold=0.6)
        tensor(0.6667, dtype=torch.float64)
        >>> precision_at(torch.tensor([3, 1, 0]), torch.tensor([5, 5, 0]), 0.6, strict=True)
        tensor(0.3333, dtype=torch.float64)
    """
    values = iou(intersections, unions, empty, epsilon)
    hits = values > threshold if strict else values >= threshold
    return hits.double().mean()


def no_target_accuracy(
    areas: Int64[Tensor, " expressions"], predicted_areas: Int64[Tensor, " expressions"]
) -> Float64[Tensor, ""]:
    """Of the expressions that name nothing, the share with an empty prediction (N-acc).

    Without any such expression it is NaN.

    Args:
        areas: pixels of the true masks.
        predicted_areas: pixels of the predictions.

    References:
        Liu, Ding, Jiang, "GRES: Generalized Referring Expression Segmentation", CVPR 2023,
        section 4 (https://arxiv.org/abs/2306.00968).

    Example:
        >>> no_target_accuracy(torch.tensor([0, 0, 9]), torch.tensor([0, 5, 0]))
        tensor(0.5000, dtype=torch.float64)
    """
    return (predicted_areas[areas == 0] == 0).double().mean()


def target_accuracy(
    areas: Int64[Tensor, " expressions"], predicted_areas: Int64[Tensor, " expressions"]
) -> Float64[Tensor, ""]:
    """Of the expressions that name something, the share with a prediction of any pixel (T-acc).

    Whether the prediction lies on the object does not matter. Without any such expression it is
    NaN.

    Args:
        areas: pixels of the true masks.
        predicted_areas: pixels of the predictions.

    References:
        As `no_target_accuracy`.

    Example:
        >>> target_accuracy(torch.tensor([0, 0, 9]), torch.tensor([0, 5, 0]))
        tensor(0., dtype=torch.float64)
    """
    return (predicted_areas[areas > 0] > 0).double().mean()
