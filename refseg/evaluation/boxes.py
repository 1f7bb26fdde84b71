"""Boxes around masks: how far those of predictions agree with those of the truth.

Grounding models answer with boxes, and are compared by precision@0.5 of their IoU. The box of a
mask is its extent, from the first to the last pixel, both included.
"""

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from jaxtyping import Bool

from refseg.evaluation.submitted import Box

MEAN_BOX_IOU = "mean_box_iou"
BOX_PRECISION = "box_precision@0.5"

_HIT = 0.5


def extent(mask: Bool[np.ndarray, "height width"]) -> Box | None:
    """The smallest box with all pixels of a mask; None for an empty one.

    Example:
        >>> extent(np.array([[False, True, False], [False, True, True]]))
        (1.0, 0.0, 2.0, 2.0)
    """
    columns, rows = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
    if not len(rows):
        return None
    left, top = float(columns[0]), float(rows[0])
    return left, top, float(columns[-1]) + 1 - left, float(rows[-1]) + 1 - top


def box_iou(one: Box | None, other: Box | None) -> float:
    """The area that two boxes share, divided by the area that either of them covers.

    As with masks, nothing agrees with nothing: 1.

    Args:
        one: None where there is none.
        other: None where there is none.

    Example:
        >>> box_iou((0.0, 0.0, 2.0, 2.0), (1.0, 0.0, 2.0, 2.0)), box_iou(None, None)
        (0.3333333333333333, 1.0)
    """
    if one is None or other is None:
        return float(one is other)
    across, down = (
        max(0.0, min(one[at] + one[at + 2], other[at] + other[at + 2]) - max(one[at], other[at]))
        for at in (0, 1)
    )
    shared = across * down
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def box_figures(ious: Sequence[float]) -> dict[str, float]:
    """The mean IoU of boxes, and the share of those that reach 0.5 (IoU ≥ 0.5).

    Args:
        ious: of the box of each expression, at least one.

    Example:
        >>> box_figures([0.5, 0.25])
        {'mean_box_iou': 0.375, 'box_precision@0.5': 0.5}
    """
    return {
        MEAN_BOX_IOU: fmean(ious),
        BOX_PRECISION: sum(iou >= _HIT for iou in ious) / len(ious),
    }
