"""All annotated objects of the images, also those that no expression names."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from refseg.data.readers.records import BadRecords, get
from refseg.errors import DataError


@dataclass(frozen=True)
class Objects:
    """What `instances.json` says of each object, in columns.

    Args:
        annotation_ids: one per object.
        image_ids: the image it lies on.
        category_ids: its class.
        areas: pixels, as published; NaN where it is not.
        categories: the names of the classes.
    """

    annotation_ids: Int64[np.ndarray, " objects"]
    image_ids: Int64[np.ndarray, " objects"]
    category_ids: Int64[np.ndarray, " objects"]
    areas: Float[np.ndarray, " objects"]
    categories: Mapping[int, str]


def read_objects(root: Path, dataset: str) -> Objects | None:
    """Read the objects of a data set that comes with an `instances.json`.

    What is wrong with a record is the business of the data set's reader: here it is left out.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`.

    Returns:
        None where the data set has no such file.

    Raises:
        DataError: the file is not what its format promises.
    """
    path = root / dataset / "instances.json"
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not complete JSON ({error}); download or unpack it again."
        ) from None
    unread = BadRecords("skip")
    rows: dict[int, tuple[int, int, float]] = {}
    for annotation in get(content, "annotations", list, str(path)):
        with unread.guard():
            number, image, category = (
                get(annotation, key, int, str(path)) for key in ("id", "image_id", "category_id")
            )
            area = annotation.get("area")
            is_published = type(area) in (int, float) and 0 <= area < math.inf
            rows[number] = (image, category, float(area) if is_published else math.nan)
    return Objects(
        np.array(list(rows), np.int64),
        np.array([row[0] for row in rows.values()], np.int64),
        np.array([row[1] for row in rows.values()], np.int64),
        np.array([row[2] for row in rows.values()], np.float64),
        _categories(content, str(path)),
    )


def _categories(content: Mapping[str, object], path: str) -> dict[int, str]:
    unread = BadRecords("skip")
    names: dict[int, str] = {}
    with unread.guard():
        for category in get(content, "categories", list, path):
            with unread.guard():
                names[get(category, "id", int, path)] = get(category, "name", str, path)
    return names
