"""What is drawn is what is annotated."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from pycocotools import mask as coco

from refseg.data.shapes.annotations import MOST_HIDDEN, Annotation, annotate
from refseg.data.shapes.drawing import draw
from refseg.data.shapes.outlines import SHAPES, outline
from refseg.data.shapes.scenes import COLOURS, UNSEEN_PAIRS, Scene, SceneObject, sample_scene
from refseg.masks import decode
from refseg.types import RunLengths


def mask_of(annotation: Annotation, scene: Scene) -> np.ndarray:
    polygons = [polygon.ravel().tolist() for polygon in annotation.polygons]
    runs = coco.merge(coco.frPyObjects(polygons, scene.height, scene.width))
    return decode(RunLengths(scene.height, scene.width, runs["counts"]))


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def drawn(scene: Scene, place: int) -> np.ndarray:
    """The pixels that change when one object changes its colour, all else being equal."""
    objects = list(scene.objects)
    images = []
    for colour in ("black", "white"):
        objects[place] = replace(objects[place], colour=colour, pattern="filled")
        one = Scene(scene.width, scene.height, tuple(objects))
        images.append(draw(one, np.random.default_rng(3)).astype(int))
    return np.abs(images[1] - images[0]).sum(axis=2) > 3 * 110


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("diameter", "agreement"), [(19.0, 0.9), (50.0, 0.95)])
def test_the_mask_of_a_shape_is_what_is_drawn(
    shape: str, diameter: float, agreement: float
) -> None:
    one = SceneObject(shape, "red", "small", "filled", 40.3, 44.8, diameter, 0.1)
    scene = Scene(90, 80, (one,))
    (annotation,) = annotate(scene) or ()
    assert overlap(mask_of(annotation, scene), drawn(scene, 0)) > agreement


def test_a_ring_has_its_hole() -> None:
    one = SceneObject("ring", "red", "large", "filled", 40.0, 40.0, 50.0, 0.3)
    scene = Scene(80, 80, (one,))
    (annotation,) = annotate(scene) or ()
    y, x = np.mgrid[:80, :80] + 0.5
    radius = np.hypot(x - 40, y - 40)
    assert overlap(mask_of(annotation, scene), (radius < 26) & (radius > 13.5)) > 0.98


def test_masks_of_scenes_are_what_is_seen_even_where_objects_overlap() -> None:
    overlaps = 0
    for seed in range(40):
        scene = sample_scene(Random(seed), unseen=False)
        annotations = annotate(scene)
        if annotations is None:
            continue
        masks = [mask_of(annotation, scene) for annotation in annotations]
        assert np.stack(masks).sum(axis=0).max() == 1 or _shared(masks) < 12
        for place, annotation in enumerate(annotations):
            assert annotation.hidden <= MOST_HIDDEN
            if annotation.hidden > 0:
                overlaps += 1
                assert overlap(masks[place], drawn(scene, place)) > 0.9
    assert overlaps > 4


def _shared(masks: list[np.ndarray]) -> int:
    """Pixels claimed by two objects: a few on the edge between them, no more."""
    return int((np.stack(masks).sum(axis=0) > 1).sum())


def test_an_object_hidden_too_far_is_refused() -> None:
    low = SceneObject("circle", "red", "large", "filled", 50.0, 50.0, 40.0, 0.0)
    for x, refused in ((66.0, True), (86.0, False)):
        high = replace(low, colour="blue", x=x)
        assert (annotate(Scene(130, 100, (low, high))) is None) == refused


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_look_equally_large(shape: str) -> None:
    points = np.concatenate(outline(shape, 0.0, 0.0, 1.0, 0.0))
    extent = points.max(axis=0) - points.min(axis=0)
    assert 0.75 < extent.min() <= extent.max() < 1.3
    assert abs(points.max(axis=0) + points.min(axis=0)).max() < 1e-6


def test_scenes_are_as_promised() -> None:
    counts, sides, aspects = set(), set(), set()
    for seed in range(200):
        scene = sample_scene(Random(seed), unseen=seed % 2 == 0)
        counts.add(len(scene.objects))
        sides.add(scene.short_side)
        aspects.add(round(scene.width / scene.height, 1))
        for one in scene.objects:
            assert ((one.colour, one.shape) in UNSEEN_PAIRS) == (seed % 2 == 0)
            assert one.reach < one.x < scene.width - one.reach
            assert one.reach < one.y < scene.height - one.reach
    assert counts == set(range(3, 9))
    assert min(sides) >= 128
    assert len(aspects) > 5


def test_unseen_pairs_leave_every_word_for_training() -> None:
    seen = {(c, s) for c in COLOURS for s in SHAPES} - UNSEEN_PAIRS
    assert len(UNSEEN_PAIRS) == 16
    assert {c for c, _ in seen} == set(COLOURS)
    assert {s for _, s in seen} == set(SHAPES)
