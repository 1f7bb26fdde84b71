"""A small PhraseCut in its published files, made by code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Sizes (width, height) of the images themselves; the size of 2400003 is published wrongly.
SIZES = {61: (50, 40), 2400003: (30, 60), 107899: (64, 48), 498335: (40, 40)}
PUBLISHED = {**SIZES, 2400003: (60, 30)}
SPLITS = {61: "train", 2400003: "val", 107899: "test", 498335: "miniv"}
PHRASES: dict[int, list[str]] = {
    61: ["wooden Table", "white clouds in blue sky"],
    2400003: ["window on building"],
    107899: ["person's hand"],
    498335: ["two zebras"],
}


def square(left: float, top: float, side: float) -> list[list[float]]:
    """A polygon of points."""
    right, bottom = left + side, top + side
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def content() -> dict[str, Any]:
    """Each JSON file's content, by its name without suffix."""
    files: dict[str, Any] = {"image_data_split3000": []}
    for image_id, (width, height) in PUBLISHED.items():
        files["image_data_split3000"].append(
            {
                "image_id": image_id,
                "coco_id": None,
                "flickr_id": 5,
                "width": width,
                "height": height,
                "url": "",
                "split": SPLITS[image_id],
            }
        )
        files[f"refer_{SPLITS[image_id]}"] = [
            {
                "task_id": f"{image_id}__{number}",
                "image_id": image_id,
                "ann_ids": [1000 + number, 2000],
                "instance_boxes": [[2, 3, 6, 6], [20, 20, 30, 30]],
                # Two instances, the second in two parts, of which one leaves the image.
                "Polygons": [
                    [square(2.2, 3.9, 5)],
                    [square(12, 22, 4), square(PUBLISHED[image_id][0] - 4.0, 20, 30)],
                ],
                "phrase": phrase,
                "phrase_structure": {
                    "name": phrase.split()[-1],
                    "attributes": [],
                    "relation_ids": [],
                    "relation_descriptions": [],
                    "type": "name",
                },
            }
            for number, phrase in enumerate(PHRASES[image_id])
        ]
    return files


def write_json(folder: Path, files: dict[str, Any]) -> None:
    """Write the JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def write_images(folder: Path) -> None:
    """Noise."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for image_id, (width, height) in SIZES.items():
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{image_id}.jpg")


def write_fake_phrasecut(root: Path) -> Path:
    """The whole data set in `root/phrasecut`."""
    write_json(root / "phrasecut", content())
    write_images(root / "phrasecut" / "images")
    return root
