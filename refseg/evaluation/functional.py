"""Overall IoU, mean IoU and precision@X, counted in pixels and divided once.

Pixel counts stay integers up to the division, so that the figures do not depend on batches, their
order, or the number of processes. The divisions are float64: the functions need a device that has
it; `ReferringMetrics` divides on the CPU.

The rule for an empty union: where an expression's mask and prediction are both empty they agree,
so its IoU is 1 and it is a hit at every threshold. In overall IoU it adds nothing to either sum.
"""

import math

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
    intersections: Int64[Tensor, " expressions"], unions: Int64[Tensor, " expressions"]
) -> Float64[Tensor, " expressions"]:
    """Divide intersection by union, expression by expression; an empty union gives 1.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.

    Example:
        >>> iou(torch.tensor([1, 0, 0]), torch.tensor([4, 7, 0]))
        tensor([0.2500, 0.0000, 1.0000], dtype=torch.float64)
    """
    return torch.where(unions > 0, intersections.double() / unions.clamp(min=1).double(), 1.0)


def overall_iou(
    intersections: Int64[Tensor, " expressions"], unions: Int64[Tensor, " expressions"]
) -> Float64[Tensor, ""]:
    """Divide the sum of all intersections by the sum of all unions.

    Large objects weigh more than small ones. The papers call it IoU or overall IoU, some later ones
    cIoU; it is not the mean IoU. Where all unions are empty it is 1.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.

    Example:
        >>> overall_iou(torch.tensor([1, 50]), torch.tensor([4, 96]))
        tensor(0.5100, dtype=torch.float64)
    """
    return iou(intersections.sum()[None], unions.sum()[None])[0]


def mean_iou(
    intersections: Int64[Tensor, " expressions"], unions: Int64[Tensor, " expressions"]
) -> Float64[Tensor, ""]:
    """Average the IoU of the expressions, each with the same weight.

    The mean of no expression at all is NaN.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.

    Example:
        >>> mean_iou(torch.tensor([1, 50]), torch.tensor([4, 100]))
        tensor(0.3750, dtype=torch.float64)
    """
    values = iou(intersections, unions).tolist()
    # fsum rounds once, at the end: no order and no number of threads changes a bit.
    mean = math.fsum(values) / len(values) if values else math.nan
    return torch.tensor(mean, dtype=torch.float64, device=unions.device)


def precision_at(
    intersections: Int64[Tensor, " expressions"],
    unions: Int64[Tensor, " expressions"],
    threshold: float,
) -> Float64[Tensor, ""]:
    """Return the share of the expressions whose IoU reaches a threshold (IoU ≥ threshold).

    The comparison is exact. A float64 quotient is the float64 nearest to the true one, so an IoU of
    3/5 equals the literal 0.6; any other fraction with a union below 10¹³ pixels differs from 0.6
    by far more than rounding can hide.

    Args:
        intersections: pixels, as counted by `intersection_and_union`.
        unions: pixels.
        threshold: IoU from which an expression counts as found, [0, 1].

    Example:
        >>> precision_at(torch.tensor([3, 1, 0]), torch.tensor([5, 5, 0]), threshold=0.6)
        tensor(0.6667, dtype=torch.float64)
    """
    return (iou(intersections, unions) >= threshold).double().mean()
