"""A small ReferIt in the files of text_objseg, made by code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

# Sizes (width, height) of the images, as referit_imsize.json has them.
SIZES = {112: (48, 36), 38100: (36, 48), 9000: (40, 30), 40689: (48, 32)}
SPLITS = {112: "train", 38100: "val", 9000: "test", 40689: "train"}
QUERIES: dict[str, list[str]] = {
    "112_1": ["The big Church", "building on left"],
    "112_2": ["..."],
    "40689_1": ["sky", "sky", "blue sky, anywhere"],
    "38100_3": ["man's café table"],
    "9000_1": ["anything"],
    "9000_2": ["red one", "2nd from right"],
}
BOXES: dict[str, list[int]] = {
    "112_1": [0, 0, 47, 35],
    "112_2": [3, 5, 3, 5],
    "40689_1": [0, 0, 47, 10],
    "38100_3": [10, 20, 35, 47],
    "9000_1": [5, 5, 20, 10],
    "9000_2": [1, 2, 3, 4],
    "9000_7": [0, 0, 9, 9],  # a box that nobody talks about
}


def image_id(region: str) -> int:
    """The image of a region."""
    return int(region.split("_")[0])


def content() -> dict[str, Any]:
    """Each JSON file's content, by its name without suffix."""
    files: dict[str, Any] = {
        f"referit_query_{split}": {
            region: list(texts)
            for region, texts in QUERIES.items()
            if SPLITS[image_id(region)] == split
        }
        for split in ("train", "val", "test")
    }
    files["referit_bbox"] = {region: list(box) for region, box in BOXES.items()}
    files["referit_imsize"] = {f"{name}.jpg": list(size) for name, size in SIZES.items()}
    files["referit_imcrop"] = {
        f"{name}.jpg": [region for region in BOXES if image_id(region) == name] for name in SIZES
    }
    return files


def write_json(folder: Path, files: dict[str, Any]) -> None:
    """Write the JSON files and the lists of images."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    for split in ("train", "val", "test"):
        names = [str(name) for name, where in SPLITS.items() if where == split]
        (folder / f"referit_{split}_imlist.txt").write_text("\n".join(names) + "\n")


def region_mask(region: str) -> np.ndarray:
    """The object: a box with a hole, so that it differs from the filled box, unless it is tiny."""
    width, height = SIZES[image_id(region)]
    left, top, right, bottom = BOXES[region]
    mask = np.zeros((height, width), bool)
    mask[top : bottom + 1, left : right + 1] = True
    mask[(top + bottom) // 2, left] = left == right
    return mask


def write_mask(path: Path, mask: np.ndarray, dtype: str = "uint8", compress: bool = True) -> None:
    """A `.mat` file as the data set has them: 0 on the object, something else around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"segimg_t": (~mask).astype(dtype) * 7}, do_compression=compress)


def write_images(folder: Path) -> None:
    """Noise."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.jpg")


def write_fake_referit(root: Path) -> Path:
    """The whole data set, with masks, in `root/referit`."""
    write_json(root / "referit", content())
    write_images(root / "referit" / "images")
    for region in QUERIES:
        write_mask(root / "referit" / "mask" / f"{region}.mat", region_mask(region))
    return root
