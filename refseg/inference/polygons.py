"""Masks as polygons along the edges of their pixels, from which COCO's tools make them again."""

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool

Polygon = list[int]
"""Corners x, y, x, y, … in pixels."""

_Point = tuple[int, int]


def polygons_of(mask: Bool[np.ndarray, " height width"]) -> list[Polygon]:
    """The polygons whose union covers exactly the pixels of a mask.

    COCO's polygons have no holes. A part of the mask with a hole is therefore cut through the hole
    into pieces without one. Unlike a polygon that goes in and out by a bridge, the pieces are right
    for every tool. Unlike OpenCV's contours, which join the centres of pixels, the polygons lose
    nothing of the rim.

    Args:
        mask: True inside.

    Example:
        >>> polygons_of(np.array([[True, True, False], [True, True, False]]))
        [[0, 0, 2, 0, 2, 2, 0, 2]]
        >>> polygons_of(np.zeros((2, 2), dtype=bool))
        []
    """
    return [_outline(piece, x, y) for piece, x, y in _pieces(mask)]


def _pieces(
    mask: Bool[np.ndarray, " height width"],
) -> Iterator[tuple[Bool[np.ndarray, " rows columns"], int, int]]:
    """The parts without a hole, each in its own box, with the box's place (x, y)."""
    left = [(mask, 0, 0)]
    while left:
        part, x, y = left.pop()
        number, labels, stats, _ = cv2.connectedComponentsWithStats(
            part.astype(np.uint8), connectivity=4
        )
        for label in range(number - 1, 0, -1):
            column, row, columns, rows, _ = stats[label].tolist()
            box = labels[row : row + rows, column : column + columns] == label
            cut = _hole_column(box)
            if cut is None:
                yield box, x + column, y + row
            else:
                left.append((box[:, cut:], x + column + cut, y + row))
                left.append((box[:, :cut], x + column, y + row))


def _hole_column(part: Bool[np.ndarray, " rows columns"]) -> int | None:
    """A column at which a cut opens a hole; None where there is no hole."""
    outside = np.pad(~part, 1, constant_values=True).astype(np.uint8)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=8)
    around = labels[0, 0]
    for label in range(1, number):
        if label != around:
            return int(stats[label][cv2.CC_STAT_LEFT] - 1 + stats[label][cv2.CC_STAT_WIDTH] // 2)
    return None


def _outline(part: Bool[np.ndarray, " rows columns"], x: int, y: int) -> Polygon:
    """The corners of a connected part without holes, with the inside on the right hand."""
    following = _edges(part)
    start = min(following)
    here, (step,) = start, following[start]  # the leftmost corner has one way to go
    corners = []
    while True:
        corners.append(here)
        here = (here[0] + step[0], here[1] + step[1])
        if here == start:
            break
        ways = following[here]
        # Where two pixels touch in a corner only, to the right: along the same pixel.
        right = (-step[1], step[0])
        step = right if right in ways else ways[0]
    turns = [corners[-1], *corners, corners[0]]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(turns)]
    kept = (corner for corner, (a, b) in zip(corners, pairwise(steps), strict=True) if a != b)
    return [value for column, row in kept for value in (column + x, row + y)]


def _edges(part: Bool[np.ndarray, " rows columns"]) -> dict[_Point, list[_Point]]:
    """For each corner of a pixel on the rim, the steps along the rim that begin there."""
    padded = np.pad(part, 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # above the pixel: to the right
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    following: dict[_Point, list[_Point]] = {}
    for neighbour, (dx, dy), step in sides:
        rows, columns = np.nonzero(inside & ~neighbour)
        for column, row in zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True):
            following.setdefault((column, row), []).append(step)
    return following
