"""Masks and probabilities drawn over an image."""

from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

Color: TypeAlias = tuple[int, int, int]

# Rare in photographs (fruit, wood and skin are orange), and of different brightness.
TRUTH_COLOR: Color = (0, 214, 190)
PREDICTION_COLOR: Color = (255, 30, 136)
_WHITE: Color = (255, 255, 255)


def overlay(
    image: UInt8[np.ndarray, " height width 3"],
    mask: Bool[np.ndarray, " height width"],
    color: Color = PREDICTION_COLOR,
    opacity: float = 0.45,
) -> UInt8[np.ndarray, " height width 3"]:
    """Tint what a mask covers, and draw its outline just inside of it.

    Every pixel outside of the mask stays as it is: what the mask leaves out can be judged too.

    Args:
        image: RGB.
        mask: in the image's size.
        color: of tint and outline.
        opacity: of the tint, from 0 (invisible) to 1 (flat colour).

    Example:
        >>> image = np.zeros((9, 9, 3), dtype=np.uint8)
        >>> mask = np.zeros((9, 9), dtype=bool)
        >>> mask[2:7, 2:7] = True
        >>> picture = overlay(image, mask, color=(200, 100, 0), opacity=0.5)
        >>> picture[0, 0].tolist(), picture[2, 2].tolist(), picture[4, 4].tolist()
        ([0, 0, 0], [200, 100, 0], [100, 50, 0])
    """
    picture = image.copy()
    picture[mask] = np.rint((1 - opacity) * image[mask] + opacity * np.array(color))
    return _outlined(picture, mask, color)


def heat(
    image: UInt8[np.ndarray, " height width 3"],
    probability: Float[np.ndarray, " height width"],
) -> UInt8[np.ndarray, " height width 3"]:
    """Colour an image by probability, from dark violet (0) to bright yellow (1).

    The image shows through in grey. A white outline surrounds where the probability is above 0.5,
    which is the prediction.

    Args:
        image: RGB.
        probability: of each pixel, [0, 1], in the image's size.
    """
    return _outlined(_heated(image, probability), probability > 0.5, _WHITE)


def heat_scale(height: int, width: int) -> UInt8[np.ndarray, " height width 3"]:
    """Draw the colours that `heat` gives to mid grey, from 0 on the left to 1 on the right.

    Args:
        height: pixels.
        width: pixels.
    """
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    return _heated(np.full((height, width, 3), 128, dtype=np.uint8), ramp)


def activity(
    image: UInt8[np.ndarray, " height width 3"],
    activation: Float[np.ndarray, " height width"],
    low: float,
    high: float,
) -> UInt8[np.ndarray, " height width 3"]:
    """Colour an image by what a network holds at each place, from dark blue (low) to yellow (high).

    The image shows through in grey. The colours are others than those of `heat`: an activation is
    no probability.

    Args:
        image: RGB.
        activation: of each pixel, in the image's size.
        low: the value that is dark blue.
        high: the value that is yellow.
    """
    span = high - low
    share = (activation - low) / span if span > 0 else np.full(activation.shape, 0.5)
    return _heated(image, share, cv2.COLORMAP_VIRIDIS)


def activity_scale(height: int, width: int) -> UInt8[np.ndarray, " height width 3"]:
    """Draw the colours that `activity` gives to mid grey, from low on the left to high.

    Args:
        height: pixels.
        width: pixels.
    """
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    return activity(np.full((height, width, 3), 128, dtype=np.uint8), ramp, 0.0, 1.0)


def _heated(
    image: UInt8[np.ndarray, " height width 3"],
    probability: Float[np.ndarray, " height width"],
    colormap: int = cv2.COLORMAP_INFERNO,
) -> UInt8[np.ndarray, " height width 3"]:
    levels = np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(levels, colormap), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(grey, 0.4, colors, 0.6, 0)


def _outlined(
    picture: UInt8[np.ndarray, " height width 3"],
    mask: Bool[np.ndarray, " height width"],
    color: Color,
) -> UInt8[np.ndarray, " height width 3"]:
    """Draw the rim of a mask; the edge of the image counts as outside, so the rim is closed."""
    width = max(1, round(min(mask.shape) / 120))
    inside = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    picture[mask & (depth <= width)] = color
    return picture
