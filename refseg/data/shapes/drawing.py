"""Draws a scene as pixels."""

from math import cos, pi, sin

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from refseg.data.shapes.annotations import box, coverage, fill, object_outline
from refseg.data.shapes.scenes import COLOURS, Scene, SceneObject

DARK_STRIPES = frozenset({"yellow", "pink", "white", "orange"})
_SUBPIXELS = 4


def draw(scene: Scene, generator: np.random.Generator) -> UInt8[np.ndarray, " height width 3"]:
    """Draw a scene as an RGB image: a background, the objects with smooth edges, noise.

    Args:
        scene: what to draw; later objects cover earlier ones.
        generator: the source of all that no expression speaks of: background, shades, noise.
    """
    image = _background(scene.width, scene.height, generator)
    for one in scene.objects:
        _paint(image, one, generator)
    if generator.random() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), float(generator.uniform(0.3, 0.8)))
    noise = generator.standard_normal(image.shape, dtype=np.float32)
    image += noise * np.float32(generator.uniform(1.0, 9.0))
    np.clip(np.rint(image, out=image), 0, 255, out=image)
    return image.astype(np.uint8)


def _background(
    width: int, height: int, generator: np.random.Generator
) -> Float32[np.ndarray, " height width 3"]:
    """A dull background, plain, graded or textured: no object has its colours."""
    first, second = (
        generator.uniform(92, 160) + generator.uniform(-16, 16, 3).astype(np.float32)
        for _ in range(2)
    )
    kind = generator.integers(4)
    plain = np.empty((height, width, 3), dtype=np.float32)
    plain[:] = first
    if kind == 0:
        return plain
    if kind == 1:
        weight = _ramp(width, height, float(generator.uniform(0, 2 * pi)))[..., None]
        plain += (second.astype(np.float32) - plain) * weight
        return plain
    if kind == 2:
        cell = int(generator.integers(6, 28))
        rows, columns = height // cell + 2, width // cell + 2
        coarse = generator.standard_normal((rows, columns, 3), dtype=np.float32)
        coarse = coarse.mean(axis=2, keepdims=True) * 1.2 + coarse * 0.35
        cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        plain += cloud * np.float32(generator.uniform(8, 18))
        np.clip(plain, 70, 190, out=plain)
        return plain
    waves = _ramp(width, height, float(generator.uniform(0, 2 * pi)))
    turns = float(generator.uniform(4, 14))
    grain = np.sin(waves * np.float32(2 * pi * turns)) * np.float32(generator.uniform(4, 10))
    plain += grain[..., None]
    return plain


def _ramp(width: int, height: int, angle: float) -> Float32[np.ndarray, " height width"]:
    """Rises from 0 to 1 across the image in the direction of `angle`."""
    along = cos(angle) * np.linspace(-0.5, 0.5, width)[None]
    across = sin(angle) * np.linspace(-0.5, 0.5, height)[:, None]
    reach = abs(cos(angle)) + abs(sin(angle))
    return ((along + across) / reach + 0.5).astype(np.float32)


def _paint(
    image: Float32[np.ndarray, " height width 3"],
    one: SceneObject,
    generator: np.random.Generator,
) -> None:
    left, top, right, bottom = box(one)
    alpha = _alpha(one, (left, top, right, bottom))
    colour = np.array(COLOURS[one.colour], dtype=np.float32)
    colour += generator.uniform(-10, 10, 3).astype(np.float32)
    paint = np.empty((bottom - top, right - left, 3), dtype=np.float32)
    paint[:] = colour
    angle = float(generator.uniform(pi / 6, pi / 3) * generator.choice((-1, 1)))
    if one.pattern == "striped":
        stripes = _stripes(one, (left, top, right, bottom), angle)[..., None]
        other = colour * 0.3 + (0 if one.colour in DARK_STRIPES else 170)
        paint = paint * (1 - stripes) + other.astype(np.float32) * stripes
    rows = slice(max(top, 0), min(bottom, image.shape[0]))
    columns = slice(max(left, 0), min(right, image.shape[1]))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    weight = alpha[inside][..., None]
    image[rows, columns] += (paint[inside] - image[rows, columns]) * weight


def _alpha(
    one: SceneObject, corners: tuple[int, int, int, int]
) -> Float32[np.ndarray, " height width"]:
    """The part of each pixel that the object covers.

    OpenCV fills every subpixel that a polygon touches, so that small shapes would grow by a
    twentieth; the mean with what is left when the surroundings are filled has the right area.
    """
    left, top, right, bottom = corners
    outside = np.array([[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]]) * (right - left)
    outside += (left, top)
    grown = coverage(object_outline(one), corners, _SUBPIXELS)
    shrunk = np.zeros_like(grown)
    for polygon in object_outline(one):
        shrunk |= ~fill([outside, polygon], corners, _SUBPIXELS)
    fine = cv2.addWeighted(grown, 0.5, shrunk, 0.5, 0.0, dtype=cv2.CV_32F)
    alpha = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return (alpha / 255).astype(np.float32)


def _stripes(
    one: SceneObject, corners: tuple[int, int, int, int], angle: float
) -> Float32[np.ndarray, " height width"]:
    """1 on a stripe, 0 beside it, smooth between; two fifths of the area are stripes."""
    left, top, right, bottom = corners
    period = max(one.diameter / 4, 5.5)
    x = (np.arange(left, right) + 0.5 - one.x) * cos(angle)
    y = (np.arange(top, bottom) + 0.5 - one.y) * sin(angle)
    phase = ((x[None] + y[:, None]) / period) % 1.0
    distance = (np.abs(phase - 0.5) - 0.3) * period
    return np.clip(distance + 0.5, 0, 1).astype(np.float32)
