"""All annotated objects of the images, those that no expression names included."""

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from refseg.data.kept_objects import Objects, kept_path, load_objects, store_objects
from refseg.data.readers.records import BadRecords, get
from refseg.errors import DataError

__all__ = ["Objects", "read_objects"]


def read_objects(root: Path, dataset: str) -> Objects | None:
    """Read the objects of a data set that comes with an `instances.json`.

    What is wrong with a record is the business of the data set's reader: here it is left out. What
    was read is kept in the cache folder: the file of RefCOCO takes seconds and a gigabyte of memory
    to read, its columns take neither.

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
    kept = kept_path(path)
    if kept is None:
        return _parsed(path)
    objects = load_objects(kept)
    if objects is None:
        objects = _parsed(path)
        with contextlib.suppress(OSError):  # it is read again next time
            store_objects(objects, kept)
    return objects


def _parsed(path: Path) -> Objects:
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
