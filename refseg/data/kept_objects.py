"""A cache of the objects of `instances.json` on disk, so that the large file is parsed once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int64

from refseg.files import cache_folder, replacing

_FORMAT = 1  # of what is kept; to be raised whenever `read_objects` finds something else
_CATEGORIES = b"categories"


@dataclass(frozen=True)
class Objects:
    """The objects of an `instances.json`, in columns.

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


_SCHEMA = pa.schema(
    [
        ("annotation_ids", pa.int64()),
        ("image_ids", pa.int64()),
        ("category_ids", pa.int64()),
        ("areas", pa.float64()),
    ]
)


def kept_path(source: Path) -> Path | None:
    """The path of the cached objects of a file, which depends on the file's content.

    Args:
        source: the `instances.json`.

    Returns:
        None where the file cannot be read.
    """
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError:
        return None
    return cache_folder() / "objects" / f"{digest}-{_FORMAT}.parquet"


def load_objects(path: Path) -> Objects | None:
    """Read what `store_objects` wrote; None if it is absent or damaged."""
    try:
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        if not table.schema.equals(_SCHEMA):
            return None
        categories = json.loads((table.schema.metadata or {})[_CATEGORIES])
        names = {int(number): str(name) for number, name in categories}
        columns = {name: table[name].to_numpy() for name in _SCHEMA.names}
        return Objects(**columns, categories=names)
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def store_objects(objects: Objects, path: Path) -> None:
    """Write the columns and the names of the classes; the file appears whole or not at all.

    Args:
        objects: to keep.
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """
    names = json.dumps(list(objects.categories.items()))
    columns = [getattr(objects, name) for name in _SCHEMA.names]
    schema = _SCHEMA.with_metadata({_CATEGORIES: names})
    with replacing(path) as temporary:
        table = pa.table(columns, schema=schema)
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
