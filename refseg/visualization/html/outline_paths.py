"""Outlines of masks as lines for web pages, sharp in every size."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

_FINER = 4
"""OpenCV joins the centres of pixels: of finer ones, so that a mask of one pixel has an outline."""


def outline_path(
    mask: Bool[np.ndarray, " height width"], scale: float = 1.0, tolerance: float = 0.4
) -> str:
    """The rims of all parts and holes of a mask, just inside of it, as the `d` of an SVG path.

    Filled by the rule `evenodd`, the path covers the mask, but for the tolerance.

    Args:
        mask: True inside.
        scale: from pixels of the mask to units of the path.
        tolerance: how far the path may lie from the rim, in units.

    Example:
        >>> outline_path(np.ones((2, 3), dtype=bool), scale=8.0)
        'M1,1 1,15 23,15 23,1Z'
    """
    if not mask.any():
        return ""
    fine = mask.astype(np.uint8).repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = ((contour.astype(np.float32) + 0.5) * (scale / _FINER) for contour in contours)
    return "".join(_ring(cv2.approxPolyDP(ring, tolerance, closed=True)[:, 0]) for ring in rings)


def _ring(points: Float[np.ndarray, " points 2"]) -> str:
    return "M" + " ".join(f"{x:.4g},{y:.4g}" for x, y in points.round(1).tolist()) + "Z"
