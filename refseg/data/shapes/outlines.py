"""The shapes as polygons."""

from collections.abc import Callable
from functools import cache
from math import cos, pi, sin

import numpy as np
from jaxtyping import Float

Polygon = Float[np.ndarray, "_ 2"]


def outline(
    shape: str, x: float, y: float, diameter: float, angle: float
) -> tuple[Float[np.ndarray, "_ 2"], ...]:
    """The polygons whose union is the shape, in pixels (a pixel's centre is at .5).

    A ring is two halves that overlap a little, since COCO polygons know no holes.

    Args:
        shape: one of `SHAPES`.
        x: centre of the bounding box before rotation, pixels.
        y: likewise.
        diameter: that of the circle which looks as large as the shape, pixels.
        angle: rotation, radians.

    Example:
        >>> [polygon.shape for polygon in outline("square", 50.0, 50.0, 20.0, 0.0)]
        [(4, 2)]
    """
    rotation = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    return tuple(
        polygon @ rotation * diameter + np.array([x, y]) for polygon in _unit_outline(shape)
    )


@cache
def reach(shape: str) -> float:
    """Radius of the circle about the centre that contains the shape, for diameter 1."""
    return max(float(np.hypot(*polygon.T).max()) for polygon in _unit_outline(shape))


@cache
def _unit_outline(shape: str) -> tuple[Polygon, ...]:
    return tuple(np.array(points, dtype=np.float64) for points in _OUTLINES[shape]())


Points = list[tuple[float, float]]


def _arc(radius: float, first: float, last: float, points: int) -> Points:
    turns = np.linspace(first, last, points)
    return [(radius * cos(turn), radius * sin(turn)) for turn in turns]


def _centred(points: Points) -> Points:
    x, y = zip(*points, strict=True)
    middle_x, middle_y = (min(x) + max(x)) / 2, (min(y) + max(y)) / 2
    return [(a - middle_x, b - middle_y) for a, b in points]


def _circle() -> list[Points]:
    return [_arc(0.5, 0.0, 2 * pi * 47 / 48, 48)]


def _ring() -> list[Points]:
    halves = []
    for start in (pi / 2, -pi / 2):
        first, last = start - 0.1, start + pi + 0.1
        halves.append(_arc(0.52, first, last, 30) + _arc(0.27, last, first, 30))
    return halves


def _square() -> list[Points]:
    return [[(-0.45, -0.45), (0.45, -0.45), (0.45, 0.45), (-0.45, 0.45)]]


def _triangle() -> list[Points]:
    return [_centred(_arc(0.64, -pi / 2, pi * 5 / 6, 3))]


def _star() -> list[Points]:
    outer = _arc(0.64, -pi / 2, pi * 11 / 10, 5)
    inner = _arc(0.28, -pi * 3 / 10, pi * 13 / 10, 5)
    return [_centred([point for pair in zip(outer, inner, strict=True) for point in pair])]


def _cross() -> list[Points]:
    long, wide = 0.54, 0.18
    quarter = [(wide, -long), (wide, -wide), (long, -wide)]
    points: Points = []
    for _ in range(4):
        points += quarter
        quarter = [(-y, x) for x, y in quarter]
    return [points]


def _heart() -> list[Points]:
    turns = np.linspace(0, 2 * pi * 47 / 48, 48)
    x = 16 * np.sin(turns) ** 3
    y = -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns))
    return [_centred([(float(a), float(b)) for a, b in zip(x / 31, y / 31, strict=True)])]


def _diamond() -> list[Points]:
    return [[(0.0, -0.64), (0.4, 0.0), (0.0, 0.64), (-0.4, 0.0)]]


_OUTLINES: dict[str, Callable[[], list[Points]]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "diamond": _diamond,
}

SHAPES = tuple(_OUTLINES)
