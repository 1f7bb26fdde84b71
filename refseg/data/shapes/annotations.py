"""The polygons of the visible part of each object, for `instances.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, hypot

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from refseg.data.shapes.outlines import outline
from refseg.data.shapes.scenes import Scene, SceneObject

SUBPIXELS = 8
MOST_HIDDEN = 0.10
"""At most this part of an object may be hidden by others."""


@dataclass(frozen=True)
class Annotation:
    """The visible part of an object.

    Where objects overlap, the mask of the lower one ends where the upper one begins: the truth is
    what can be seen, exactly to an eighth of a pixel, never a guess about what lies behind.

    Args:
        polygons: their union is the visible part, pixels.
        hidden: part of the object that others cover, 0–1.
    """

    polygons: tuple[Float[np.ndarray, "_ 2"], ...]
    hidden: float


def annotate(scene: Scene) -> tuple[Annotation, ...] | None:
    """The visible part of every object, or None if one is hidden by more than `MOST_HIDDEN`."""
    annotations = []
    for place, one in enumerate(scene.objects):
        polygons = object_outline(one)
        covers = [other for other in scene.objects[place + 1 :] if _close(one, other)]
        annotation = _visible(one, polygons, covers) if covers else Annotation(polygons, 0.0)
        if annotation.hidden > MOST_HIDDEN:
            return None
        annotations.append(annotation)
    return tuple(annotations)


def object_outline(one: SceneObject) -> tuple[Float[np.ndarray, "_ 2"], ...]:
    """The polygons of the whole object."""
    return outline(one.shape, one.x, one.y, one.diameter, one.angle)


def box(one: SceneObject, margin: int = 1) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels of a square that contains the object."""
    reach = one.reach + margin
    return floor(one.x - reach), floor(one.y - reach), ceil(one.x + reach), ceil(one.y + reach)


def fill(
    polygons: Sequence[Float[np.ndarray, "_ 2"]],
    corners: tuple[int, int, int, int],
    subpixels: int = SUBPIXELS,
) -> UInt8[np.ndarray, " height width"]:
    """Whatever lies in an odd number of polygons, 0/255, on a grid finer than pixels.

    Args:
        polygons: pixels.
        corners: left, top, right, bottom of the grid, pixels.
        subpixels: cells of the grid along a pixel's side.
    """
    left, top, right, bottom = corners
    grid = np.zeros(((bottom - top) * subpixels, (right - left) * subpixels), dtype=np.uint8)
    points = [
        np.rint(((polygon - (left, top)) * subpixels - 0.5) * 16).astype(np.int32)
        for polygon in polygons
    ]
    cv2.fillPoly(grid, points, 255.0, cv2.LINE_8, 4)
    return grid


def coverage(
    polygons: Sequence[Float[np.ndarray, "_ 2"]],
    corners: tuple[int, int, int, int],
    subpixels: int = SUBPIXELS,
) -> UInt8[np.ndarray, " height width"]:
    """The union of the polygons; arguments as for `fill`."""
    grid = fill(polygons[:1], corners, subpixels)
    for polygon in polygons[1:]:
        grid |= fill([polygon], corners, subpixels)
    return grid


def _close(one: SceneObject, other: SceneObject) -> bool:
    return hypot(one.x - other.x, one.y - other.y) < one.reach + other.reach


def _visible(
    one: SceneObject,
    polygons: tuple[Float[np.ndarray, "_ 2"], ...],
    covers: list[SceneObject],
) -> Annotation:
    corners = box(one)
    cover = coverage([p for other in covers for p in object_outline(other)], corners)
    whole = coverage(polygons, corners)
    hidden = np.count_nonzero(whole & cover) / np.count_nonzero(whole)
    if hidden == 0:
        return Annotation(polygons, 0.0)
    parts: list[Float[np.ndarray, "_ 2"]] = []
    for polygon in polygons:
        seen = coverage([polygon], corners) & ~cover
        contours, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            points = cv2.approxPolyDP(contour, 0.7, True)[:, 0].astype(np.float64)
            if len(points) >= 3 and cv2.contourArea(contour) >= SUBPIXELS**2:
                parts.append((points + 0.5) / SUBPIXELS + np.array(corners[:2]))
    return Annotation(tuple(parts), hidden)
