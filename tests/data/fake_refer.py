"""A small data set in REFER layout, made by code as Python 2 would have written it."""

import io
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco

# Sizes (height, width) of the images; several files are stored in unusual ways.
SIZES = {1: (40, 60), 2: (60, 40), 3: (50, 50), 4: (30, 80), 5: (40, 60), 6: (48, 64), 7: (40, 40)}
SPLITS = {1: "train", 2: "train", 3: "train", 4: "val", 5: "testA", 6: "testB", 7: "train"}

SENTENCES = [
    ["the red box", "box on the left", "red thing, far left"],
    ["café table", "the man's second hat from the right"],
    ["big one"],
]


class _Python2Pickler(pickle._Pickler):  # type: ignore[misc, name-defined]  # private, but stable
    """Writes texts as Python 2's byte strings."""

    dispatch = pickle._Pickler.dispatch.copy()  # type: ignore[attr-defined]

    def _save_text(self, text: str) -> None:
        data = text.encode("utf-8")
        if self.proto == 0:
            self.write(b"S" + repr(data)[1:].encode() + b"\n")
        elif len(data) < 256:
            self.write(b"U" + bytes([len(data)]) + data)
        else:
            self.write(b"T" + struct.pack("<i", len(data)) + data)

    dispatch[str] = _save_text


def python2_pickle(value: object, protocol: int = 2) -> bytes:
    """The bytes that Python 2's pickle would have written, texts as byte strings."""
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol).dump(value)
    return buffer.getvalue()


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def segmentations(height: int, width: int) -> list[Any]:
    """Three objects: one polygon, two polygons that overlap, run lengths as of RefCLEF."""
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[5:20, 3:9] = 1
    rle = coco.encode(mask)
    return [
        [rectangle(2, 3, 12, 13)],
        [rectangle(15, 10, 25, 20), rectangle(20, 10, 30, 20)],
        [{"size": [height, width], "counts": rle["counts"].decode("ascii")}],
    ]


def annotations() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The content of refs(*).p and of instances.json."""
    refs: list[dict[str, Any]] = []
    instances: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    sentence_id = 100
    for image_id, (height, width) in SIZES.items():
        name = f"COCO_train2014_{image_id:012d}"
        suffix = ".png" if image_id in (5, 6) else ".jpg"
        instances["images"].append(
            {"id": image_id, "height": height, "width": width, "file_name": name + suffix}
        )
        for number, segmentation in enumerate(segmentations(height, width)):
            annotation_id = 10 * image_id + number
            instances["annotations"].append(
                {"id": annotation_id, "image_id": image_id, "segmentation": segmentation}
            )
            sentences = []
            for text in SENTENCES[number]:
                sentences.append(
                    {"sent_id": sentence_id, "sent": text, "raw": text.title(), "tokens": []}
                )
                sentence_id += 1
            refs.append(
                {
                    "ref_id": len(refs),
                    "ann_id": annotation_id,
                    "image_id": image_id,
                    "category_id": number + 1,
                    "split": SPLITS[image_id],
                    "file_name": f"{name}_{annotation_id}{suffix}",
                    "sent_ids": [sentence["sent_id"] for sentence in sentences],
                    "sentences": sentences,
                }
            )
    return refs, instances


def write_annotations(
    root: Path, refs: object, instances: object, dataset: str = "fake", split_by: str = "unc"
) -> None:
    """Write the two files of annotations."""
    folder = root / dataset
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"refs({split_by}).p").write_bytes(python2_pickle(refs))
    (folder / "instances.json").write_text(json.dumps(instances))


def write_images(folder: Path) -> None:
    """Noise, stored in grey, CMYK, turned by EXIF, with alpha, with a palette, and plainly."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    modes = {2: "L", 3: "CMYK", 5: "RGBA", 6: "P"}
    _, instances = annotations()
    for record in instances["images"]:
        pixels = generator.integers(0, 256, (record["height"], record["width"], 3), np.uint8)
        image = Image.fromarray(pixels).convert(modes.get(record["id"], "RGB"))
        exif = Image.Exif()
        if record["id"] == 4:
            exif[0x0112] = 6  # turn by 90 degrees to see it upright
        image.save(folder / record["file_name"], exif=exif)


def write_fake_refer(root: Path) -> Path:
    """The whole data set `fake` (unc) in a new folder."""
    write_annotations(root, *annotations())
    write_images(root / "images" / "train2014")
    return root
