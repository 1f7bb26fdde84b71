"""Small tables of references, made row by row."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refseg.data.references import References
from refseg.masks import encode

HEIGHT, WIDTH = 10, 20


def square(pixels: int) -> bytes:
    """Run lengths of a mask of so many pixels in an image of 10 × 20."""
    mask = np.zeros(HEIGHT * WIDTH, bool)
    mask[:pixels] = True
    return encode(mask.reshape(HEIGHT, WIDTH)).counts


def table(rows: Sequence[dict[str, Any]]) -> References:
    """References from rows that say only what differs from the defaults.

    `reference_id` gives the annotation's id too, unless `annotation_ids` is said.
    """
    columns: dict[str, list[object]] = {}
    for number, row in enumerate(rows):
        reference_id = row.get("reference_id", number)
        full = {
            "source": "hand (made)",
            "expression_id": number,
            "reference_id": reference_id,
            "annotation_ids": [reference_id],
            "category_ids": [1],
            "image_id": 1,
            "split": "train",
            "expression": "thing",
            "raw": "thing",
            "image_path": f"/none/{row.get('image_id', 1)}.jpg",
            "height": HEIGHT,
            "width": WIDTH,
            "rle": square(20),
            "mask_kind": "mask",
        } | row
        for name, value in full.items():
            columns.setdefault(name, []).append(value)
    return References.from_columns(columns)
