"""A data set in REFER layout as large as RefCOCO, made by code."""

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from PIL import Image

DATASET = "generated"
SPLIT_BY = "bench"
SIZES = ((480, 640), (640, 480), (427, 640), (375, 500))
"""Height and width of the pictures, as many of COCO's have them."""

POLYGONS, POINTS = (2, 3), (20, 60)
"""Least and most polygons of an annotation, and points of a polygon: more than COCO's on average,
so that what is measured is not flattered."""

WORDS = (
    "man", "woman", "boy", "girl", "person", "kid", "guy", "lady", "player", "dog", "cat",
    "horse", "elephant", "zebra", "giraffe", "sheep", "cow", "bus", "truck", "car", "train",
    "boat", "bike", "pizza", "cake", "sandwich", "bowl", "plate", "cup", "bottle", "chair",
    "couch", "table", "bed", "left", "right", "middle", "top", "bottom", "front", "back", "far",
    "near", "second", "third", "closest", "standing", "sitting", "in", "on", "with", "the", "of",
    "to", "red", "blue", "white", "black", "green", "yellow", "brown", "orange", "grey",
    "striped", "shirt", "hat",
)  # fmt: skip


@dataclass(frozen=True)
class SetSize:
    """How much a generated set contains.

    Args:
        images: RefCOCO has 19,994.
        references: RefCOCO has 50,000.
        expressions: RefCOCO has 142,210.
        annotations: objects in `instances.json`, most of which nobody refers to.
    """

    images: int = 20_000
    references: int = 50_000
    expressions: int = 142_210
    annotations: int = 200_000

    @classmethod
    def of_images(cls, images: int) -> "SetSize":
        """With the other numbers in proportion to the images.

        Example:
            >>> SetSize.of_images(20_000) == SetSize()
            True
        """
        full = cls()

        def scaled(number: int) -> int:
            return round(number * images / full.images)

        return cls(
            images, scaled(full.references), scaled(full.expressions), scaled(full.annotations)
        )


def write_refer_set(root: Path, size: SetSize, seed: int = 0) -> Path:
    """Write a set `generated` (split by `bench`): all of the annotation, and few pixels.

    The pictures are hard links to a handful of files, so that an epoch reads as many pictures of
    the usual size as ever while the disk holds four.

    Args:
        root: a new or empty folder.
        size: how much of everything.
        seed: another seed gives other outlines and sentences.
    """
    generator = np.random.default_rng(seed)
    folder = root / DATASET
    folder.mkdir(parents=True)
    _write_images(root / "images" / DATASET, size.images, generator)
    owners = _owners(size.annotations, size.images)
    rest = {
        "info": {"description": "generated for a benchmark"},
        "licenses": [],
        "images": [
            {"id": image + 1, "file_name": _name(image), **_shape(image)}
            for image in range(size.images)
        ],
        "categories": [{"id": 1, "name": "thing", "supercategory": "thing"}],
    }
    with (folder / "instances.json").open("w", encoding="utf-8") as file:
        file.write(json.dumps(rest)[:-1] + ', "annotations": [')
        for number, annotation in enumerate(_annotations(owners, generator)):
            file.write((", " if number else "") + json.dumps(annotation))
        file.write("]}")
    references = _references(size, owners, generator)
    (folder / f"refs({SPLIT_BY}).p").write_bytes(pickle.dumps(references, protocol=2))
    return root


def _name(image: int) -> str:
    return f"COCO_train2014_{image + 1:012d}.jpg"


def _shape(image: int) -> dict[str, int]:
    height, width = SIZES[image % len(SIZES)]
    return {"height": height, "width": width}


def _owners(things: int, images: int) -> Int64[np.ndarray, " things"]:
    """The image of each annotation: as equally many each as can be, those of one side by side."""
    return np.arange(things, dtype=np.int64) * images // things


def _write_images(folder: Path, images: int, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    originals: dict[tuple[int, int], Path] = {}
    for image in range(images):
        path = folder / _name(image)
        size = SIZES[image % len(SIZES)]
        try:
            os.link(originals[size], path)
        except (KeyError, OSError):  # the first; or no more links to a file than that
            pixels = generator.integers(0, 256, (size[0] // 16, size[1] // 16, 3), np.uint8)
            Image.fromarray(pixels).resize(size[::-1]).save(path, quality=80)
            originals[size] = path


def _annotations(
    owners: Int64[np.ndarray, " things"], generator: np.random.Generator
) -> Iterator[dict[str, object]]:
    counts = generator.integers(POLYGONS[0], POLYGONS[1] + 1, len(owners))
    for number, (image, polygons) in enumerate(zip(owners.tolist(), counts.tolist(), strict=True)):
        height, width = SIZES[image % len(SIZES)]
        outlines = _outlines(int(polygons), height, width, generator)
        left, top = np.concatenate(outlines).min(0).tolist()
        right, bottom = np.concatenate(outlines).max(0).tolist()
        yield {
            "id": number + 1,
            "image_id": image + 1,
            "category_id": 1,
            "segmentation": [outline.ravel().tolist() for outline in outlines],
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top) / 2,
            "iscrowd": 0,
        }


def _outlines(
    polygons: int, height: int, width: int, generator: np.random.Generator
) -> list[Float[np.ndarray, "_ 2"]]:
    """Stars with dented sides, none outside of the image."""
    lengths = generator.integers(POINTS[0], POINTS[1] + 1, polygons)
    borders = np.concatenate(([0], np.cumsum(lengths)))
    angles = np.concatenate([np.arange(length) * (2 * np.pi / length) for length in lengths])
    reach = generator.uniform(0.5, 1.0, len(angles)) * generator.uniform(10, height / 4)
    centre = generator.uniform(0.2, 0.8, (polygons, 2)) * (width, height)
    points = np.repeat(centre, lengths, axis=0)
    points += reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = points.clip(0, (width, height)).round(2)
    return [points[start:stop] for start, stop in pairwise(borders)]


def _references(
    size: SetSize, owners: Int64[np.ndarray, " things"], generator: np.random.Generator
) -> list[dict[str, object]]:
    images = _owners(size.references, size.images)
    place = np.arange(len(images)) - np.searchsorted(images, images)  # among those of its image
    things = np.searchsorted(owners, images) + place
    sentences = np.bincount(
        _owners(size.expressions, size.references), minlength=size.references
    ).tolist()
    first = 0
    references: list[dict[str, object]] = []
    for number, (image, thing, count) in enumerate(
        zip(images.tolist(), things.tolist(), sentences, strict=True)
    ):
        ids = list(range(first, first + count))
        first += count
        references.append(
            {
                "ref_id": number,
                "ann_id": thing + 1,
                "image_id": image + 1,
                "category_id": 1,
                "split": _split(image / size.images),
                "file_name": _name(image).replace(".jpg", f"_{thing + 1}.jpg"),
                "sent_ids": ids,
                "sentences": [_sentence(sentence, generator) for sentence in ids],
            }
        )
    return references


def _split(place: float) -> str:
    """The shares of RefCOCO (unc) among 20,000 images."""
    for name, end in (("train", 0.85), ("val", 0.925), ("testA", 0.9625)):
        if place < end:
            return name
    return "testB"


def _sentence(number: int, generator: np.random.Generator) -> dict[str, object]:
    words = [WORDS[place] for place in generator.integers(0, len(WORDS), generator.integers(1, 7))]
    text = " ".join(words)
    return {"sent_id": number, "sent": text, "raw": text.capitalize() + ".", "tokens": words}
