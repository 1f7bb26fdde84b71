"""Exports of label tools, written as the tools write them, and what is drawn in them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

SIZE = (24, 36)  # height, width


def drawn() -> np.ndarray:
    """A square with a hole, and a far pixel: row by row it is not as column by column."""
    mask = np.zeros(SIZE, dtype=bool)
    mask[4:14, 6:20] = True
    mask[8:10, 9:12] = False
    mask[22, 33] = True
    return mask


def rectangle() -> np.ndarray:
    """What a polygon with the corners (6, 3) and (27, 18) covers."""
    mask = np.zeros(SIZE, dtype=bool)
    mask[3:18, 6:27] = True
    return mask


def write_images(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(path)


def packed_bits(mask: np.ndarray, repeat: bool = True) -> list[int]:
    """Label Studio's run lengths of a brush, written by their description, bit by bit as text."""
    alpha = mask.astype(np.uint8).ravel() * 255
    values = np.stack([alpha, alpha // 2, alpha, alpha], axis=1).ravel().tolist()
    widths = (3, 4, 8, 16)
    bits = [f"{len(values):032b}", f"{8 - 1:05b}", *(f"{width - 1:04b}" for width in widths)]
    place = 0
    while place < len(values):
        end = place + 1
        if repeat:
            while end < len(values) and values[end] == values[place] and end - place < 2**16:
                end += 1
        else:  # several different values in a run
            end = min(len(values), place + 7)
        width = next(number for number, each in enumerate(widths) if end - place <= 2**each)
        bits.append(f"{int(repeat)}{width:02b}{end - place - 1:0{widths[width]}b}")
        bits += [f"{value:08b}" for value in values[place : place + 1 if repeat else end]]
        place = end
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[start : start + 8], 2) for start in range(0, len(text), 8)]


def region(own: str, kind: str, value: dict[str, Any], **more: object) -> dict[str, Any]:
    """A result of Label Studio."""
    return {
        "id": own,
        "type": kind,
        "from_name": "tag",
        "to_name": "image",
        "original_width": SIZE[1],
        "original_height": SIZE[0],
        "image_rotation": 0,
        "value": value,
        **more,
    }


def polygon_value() -> dict[str, Any]:
    """The rectangle in percent of width and height."""
    height, width = SIZE
    corners = [(6, 3), (27, 3), (27, 18), (6, 18)]
    points = [[100 * x / width, 100 * y / height] for x, y in corners]
    return {"points": points, "polygonlabels": ["dog"], "closed": True}


def label_studio() -> list[dict[str, Any]]:
    """Two tasks: an uploaded image with two regions, and a local one with a text of the image."""
    brush = {"format": "rle", "rle": packed_bits(drawn()), "brushlabels": ["cat"]}
    first = [
        region("a", "polygonlabels", polygon_value()),
        region("a", "textarea", {"text": ["the dog", "left dog"]}),
        region("b", "brushlabels", brush),
        region("b", "choices", {"choices": ["the cat with a hole"]}),
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    ]
    second = [
        region("c", "polygonlabels", polygon_value()),
        {"id": "d", "type": "textarea", "value": {"text": "a dog"}, "to_name": "image"},
    ]
    return [
        {
            "id": 11,
            "data": {"image": "/data/upload/3/0a1b2c3d-dog.png"},
            "annotations": [{"id": 1, "was_cancelled": False, "result": first}],
        },
        {
            "id": 12,
            "data": {"image": "/data/local-files/?d=pets/street%201.png"},
            "annotations": [
                {"id": 2, "was_cancelled": True, "result": [{"broken": 1}]},
                {"id": 3, "result": second},
            ],
        },
    ]


def row_runs(box: np.ndarray) -> list[int]:
    """CVAT's run lengths: row by row, the background first."""
    runs, value = [0], False
    for pixel in box.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def cvat(shapes: Sequence[str], image: str = "pets/dog.png", before: str = "") -> str:
    height, width = SIZE
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{before}<annotations><version>1.1</version>'
        "<meta><task><name>pets</name></task></meta>"
        f'<image id="7" name={quoteattr(image)} width="{width}" height="{height}">'
        f"{''.join(shapes)}</image></annotations>"
    )


def cvat_polygon(points: str, text: str | None, group: int = 0) -> str:
    attributes = "" if text is None else f'<attribute name="expression">{text}</attribute>'
    grouped = f' group_id="{group}"' if group else ""
    return (
        f'<polygon label="dog" source="manual" occluded="0" points="{points}" z_order="0"{grouped}>'
        f"{attributes}</polygon>"
    )


def cvat_mask(mask: np.ndarray, text: str) -> str:
    rows, columns = np.nonzero(mask)
    top, left = rows.min(), columns.min()
    box = mask[top : rows.max() + 1, left : columns.max() + 1]
    lengths = ", ".join(map(str, row_runs(box)))
    return (
        f'<mask label="cat" source="manual" occluded="0" rle="{lengths}" '
        f'left="{left}" top="{top}" width="{box.shape[1]}" height="{box.shape[0]}" z_order="0">'
        '<attribute name="colour">red</attribute>'
        f'<attribute name="caption">{text}</attribute></mask>'
    )


def coco(annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    height, width = SIZE
    return {
        "info": {},
        "images": [{"id": 5, "file_name": "pets/dog.png", "height": height, "width": width}],
        "categories": [{"id": 3, "name": "dog", "supercategory": "animal"}],
        "annotations": [
            {"id": number, "image_id": 5, "category_id": 3, **annotation}
            for number, annotation in enumerate(annotations, 100)
        ],
    }


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path
