"""Outlines of masks that are visible on bright and on dark images."""

import cv2
import numpy as np
from jaxtyping import Bool, Int64, UInt8

from refseg.visualization.overlays import Color

_HALO: Color = (255, 255, 255)
_DASH = 16


def outlined(
    image: UInt8[np.ndarray, " height width 3"],
    mask: Bool[np.ndarray, " height width"],
    color: Color,
    width: int = 3,
    dashed: bool = False,
) -> UInt8[np.ndarray, " height width 3"]:
    """Draw the rim of a mask, just inside of it, with a white line of two pixels around.

    Unlike `overlay`, nothing is tinted: the object is seen in its own colours, and several outlines
    fit on one image.

    Args:
        image: RGB.
        mask: in the image's size; nothing is drawn where it is empty.
        color: of the line.
        width: of the line, pixels.
        dashed: with gaps, as for a box in place of a mask.

    Example:
        >>> image = np.zeros((9, 9, 3), dtype=np.uint8)
        >>> mask = np.zeros((9, 9), dtype=bool)
        >>> mask[2:7, 2:7] = True
        >>> picture = outlined(image, mask, color=(200, 100, 0), width=1)
        >>> picture[0, 2].tolist(), picture[2, 2].tolist(), picture[3, 3].tolist()
        ([255, 255, 255], [200, 100, 0], [0, 0, 0])
    """
    picture = image.copy()
    if not mask.any():
        return picture
    inside = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    rim = mask & (depth <= width)
    halo = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~mask
    if dashed:
        from_top, from_left = (_from_side(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
        drawn = (from_top[:, None] + from_left) % 2 == 0
        rim, halo = rim & drawn, halo & drawn
    picture[halo] = _HALO
    picture[rim] = color
    return picture


def _from_side(covered: Bool[np.ndarray, " side"]) -> Int64[np.ndarray, " side"]:
    """How many dashes away from the nearer end of the mask, along one side of the image.

    Counted from both ends, so that no edge of a box lies across the limit of two dashes.
    """
    inside = np.flatnonzero(covered)
    place = np.arange(len(covered))
    return np.minimum(place - inside[0], inside[-1] - place).clip(0) // _DASH
