"""One's own data: a folder with images, masks in every form, and a table of expressions."""

import copy
import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco

SIZES = {"dog.jpg": (40, 30), "street.png": (24, 36)}  # width, height
POLYGON = [[2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]]


def mask(name: str) -> np.ndarray:
    """The object on an image."""
    width, height = SIZES[name]
    object_ = np.zeros((height, width), np.uint8)
    object_[5:12, 3:20] = 1
    return object_


def run_lengths(name: str) -> dict[str, Any]:
    """The same as COCO's run lengths."""
    rle = coco.encode(np.asfortranarray(mask(name)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


def records() -> list[dict[str, Any]]:
    """A line for each form of mask."""
    polygon = copy.deepcopy(POLYGON)
    return [
        {"image": "dog.jpg", "expression": "the brown dog", "mask": "masks/dog.png", "split": ""},
        {"image": "dog.jpg", "expression": "dog, left", "mask": run_lengths("dog.jpg")},
        {"image": "street.png", "expression": "Un café à gauche", "mask": polygon, "split": "val"},
        {"image": "street.png", "expression": "a zebra", "mask": [], "split": "test"},
    ]


def write_csv(
    path: Path, lines: Iterable[Mapping[str, Any]], delimiter: str = ",", encoding: str = "utf-8"
) -> None:
    """A table as spreadsheets write it, with masks that are not paths as JSON."""
    names = ("image", "expression", "mask", "split")
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter, extrasaction="ignore")
        writer.writeheader()
        for line in lines:
            value = line["mask"]
            text = value if isinstance(value, str) else json.dumps(value)
            writer.writerow({**line, "mask": text})


def write_jsonl(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """A JSON object on each line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_files(folder: Path) -> None:
    """The images, noise, and the masks of those that have a file."""
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        Image.fromarray(mask(name) * 255).save((folder / "masks" / name).with_suffix(".png"))


def write_fake_folder(root: Path) -> Path:
    """The whole data set in `root/mine`."""
    write_files(root / "mine")
    write_csv(root / "mine" / "annotations.csv", records())
    return root
