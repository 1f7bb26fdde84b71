"""Writes the built-in set in REFER layout, once for each choice of options."""

import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from filelock import FileLock
from jaxtyping import Float
from pycocotools import mask as coco_mask

from refseg.data.shapes.annotations import Annotation, annotate
from refseg.data.shapes.drawing import draw
from refseg.data.shapes.expressions import Expression, express
from refseg.data.shapes.options import ShapesOptions, provenance, shapes_folder
from refseg.data.shapes.outlines import SHAPES
from refseg.data.shapes.scenes import Scene, distractors, sample_scene
from refseg.errors import DataError
from refseg.files import as_path
from refseg.progress import tracked

JPEG_QUALITY = 92
PROVENANCE = "provenance.json"


def prepare_shapes(
    options: ShapesOptions, root: Path | str | None = None, progress: bool = True
) -> Path:
    """Make sure the built-in set exists, and return its folder, which is in REFER layout.

    Many processes may call at once: one writes, the others wait. The set is written beside its
    folder and renamed when complete, so an interrupted run leaves nothing half-made; what a killed
    run left is removed by the next.

    Args:
        options: what the set contains.
        root: the folder to write to; by default `shapes_folder(options)`.
        progress: say how far it is, as `tracked` does.

    Raises:
        DataError: the folder cannot be written to, or holds something else.
    """
    root = shapes_folder(options) if root is None else as_path(root)
    try:
        if _is_complete(root, options):
            return root
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.with_name(f".{root.name}.lock")):
            if not _is_complete(root, options):
                _clean(root)
                partial = root.with_name(f".{root.name}.{os.getpid()}.partial")
                try:
                    _write(options, partial, progress)
                    partial.replace(root)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"Cannot write the built-in set to {root} ({error.strerror or error}); set the "
            "environment variable REFSEG_CACHE to a folder that can be written to."
        ) from error
    return root


def compose(
    options: ShapesOptions, split: str, index: int
) -> tuple[Scene, tuple[Annotation, ...], tuple[Expression, ...]]:
    """Invent the image `index` of a split: a scene, its annotations and its expressions.

    Every image has its own source of randomness, so no image depends on another.

    Args:
        options: level, seed and the numbers of objects and expressions are used.
        split: train, val, testA or testB.
        index: which image of the split, from 0.
    """
    source = f"shapes/{options.seed}/{split}/{index}"
    random = Random(source)
    speaker = Random(f"{source}/level{options.level}")
    while True:
        scene = sample_scene(random, unseen=split == "testB")
        annotations = annotate(scene)
        if annotations is None:
            continue
        expressions = _speak(speaker, scene, options)
        if len({expression.target for expression in expressions}) >= 2:
            return scene, annotations, expressions


def _speak(random: Random, scene: Scene, options: ShapesOptions) -> tuple[Expression, ...]:
    """Sentences for several objects of a scene, none of which is without distractor."""
    targets = [target for target in range(len(scene.objects)) if distractors(scene, target) > 0]
    random.shuffle(targets)
    spoken: list[tuple[Expression, ...]] = []
    for target in targets:
        found = express(random, scene, target, options.level, options.expressions_per_object)
        if found is not None:
            spoken.append(found)
        if len(spoken) == options.objects_per_image:
            break
    return tuple(expression for group in spoken for expression in group)


def _is_complete(root: Path, options: ShapesOptions) -> bool:
    """Whether the folder holds the set of these options."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    record = root / "shapes" / PROVENANCE
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != provenance(options):
        raise DataError(
            f"Expected the built-in set with {options} in {root}, found something else there; "
            "remove that folder or name another."
        )
    return True


def _clean(root: Path) -> None:
    """Remove what killed runs left; called by the one who holds the lock."""
    for leftover in root.parent.glob(f".{root.name}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)


def _plan(options: ShapesOptions) -> Iterator[tuple[str, int]]:
    for split, count in options.images().items():
        for index in range(count):
            yield split, index


def _write(options: ShapesOptions, folder: Path, progress: bool) -> None:
    images_folder = folder / "images" / "shapes"
    images_folder.mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    sentences = 0
    what = f"Drawing the built-in set, level {options.level}"
    steps = tracked([*_plan(options)], what, shown=progress)
    for split, index in steps:
        image_id = len(images) + 1
        scene, seen, expressions = compose(options, split, index)
        name = f"shapes_{image_id:012d}"
        generator = np.random.default_rng(
            [options.seed, list(options.images()).index(split), index]
        )
        pixels = draw(scene, generator)
        _, data = cv2.imencode(".jpg", pixels[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        (images_folder / f"{name}.jpg").write_bytes(data.tobytes())
        images.append(
            {
                "id": image_id,
                "width": scene.width,
                "height": scene.height,
                "file_name": f"{name}.jpg",
            }
        )
        first = len(annotations) + 1
        annotations += [
            _annotation(first + place, image_id, scene, place, annotation)
            for place, annotation in enumerate(seen)
        ]
        for target in dict.fromkeys(expression.target for expression in expressions):
            texts = [expression.text for expression in expressions if expression.target == target]
            references.append(
                _reference(len(references), annotations[first - 1 + target], split, name, texts)
            )
            references[-1]["sent_ids"] = list(range(sentences, sentences + len(texts)))
            for sentence in references[-1]["sentences"]:
                sentence["sent_id"] = sentences
                sentences += 1
    _write_tables(folder / "shapes", options, images, annotations, references)


def _write_tables(
    folder: Path,
    options: ShapesOptions,
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    references: list[dict[str, Any]],
) -> None:
    folder.mkdir()
    instances = {
        "info": {"description": "refseg shapes", "version": "1"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": place, "name": shape, "supercategory": "shape"}
            for place, shape in enumerate(SHAPES, start=1)
        ],
    }
    (folder / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
    # Which objects are one and the same decides over a pickle's bytes; JSON forgets that.
    references = json.loads(json.dumps(references))
    (folder / "refs(shapes).p").write_bytes(pickle.dumps(references, protocol=2))
    (folder / PROVENANCE).write_text(json.dumps(provenance(options)), encoding="utf-8")


def _annotation(
    number: int, image_id: int, scene: Scene, place: int, annotation: Annotation
) -> dict[str, Any]:
    one = scene.objects[place]
    polygons = [_flat(polygon) for polygon in annotation.polygons]
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, scene.height, scene.width))
    x, y = np.concatenate([np.array(polygon).reshape(-1, 2) for polygon in polygons]).T
    left, top = float(x.min()), float(y.min())
    extent = [round(float(x.max()) - left, 2), round(float(y.max()) - top, 2)]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": SHAPES.index(one.shape) + 1,
        "segmentation": polygons,
        "bbox": [left, top, *extent],
        "area": int(coco_mask.area(runs)),
        "iscrowd": 0,
        "attributes": {"colour": one.colour, "size": one.size, "pattern": one.pattern},
    }


def _flat(polygon: Float[np.ndarray, "_ 2"]) -> list[float]:
    return [round(float(value), 2) for value in polygon.ravel()]


def _reference(
    number: int, annotation: dict[str, Any], split: str, image: str, texts: list[str]
) -> dict[str, Any]:
    return {
        "sent_ids": [],
        "file_name": f"{image}_{annotation['id']}.jpg",
        "ann_id": annotation["id"],
        "ref_id": number,
        "image_id": annotation["image_id"],
        "split": split,
        "sentences": [
            {"tokens": text.split(), "raw": text, "sent_id": 0, "sent": text} for text in texts
        ],
        "category_id": annotation["category_id"],
    }
