"""A hash of a table of references, which tells two versions of a data set apart."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from refseg.data.schema import SCHEMA


def fingerprint_of(table: pa.Table) -> str:
    """A hash of the content, the same wherever the folder lies and however rows are chunked.

    Args:
        table: with the columns of `SCHEMA`.
    """
    digest = hashlib.sha256()
    for field in SCHEMA:
        column = table[field.name]
        if field.name == "image_path":  # by name: each of its different values once
            column = pa.chunked_array([_names(chunk) for chunk in column.chunks], pa.string())
        if field.name == "category":
            if column.null_count == len(column):  # as in versions that had no such column
                continue
            column = pc.fill_null(column.cast(pa.string()), "")
        _update(digest, field.name, column)
    return digest.hexdigest()


def _names(paths: pa.DictionaryArray) -> pa.Array:
    names = [Path(path).name for path in paths.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(paths.indices)


def _update(digest: "hashlib._Hash", name: str, column: pa.ChunkedArray) -> None:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_list(column.type):
        _update(digest, f"{name} lengths", pc.list_value_length(column))
        column = pc.list_flatten(column)
    digest.update(f"{name} {len(column)} ".encode())
    if pa.types.is_integer(column.type):
        digest.update(column.to_numpy().astype("<i8").tobytes())
    else:
        digest.update(pc.binary_length(column).to_numpy().astype("<i8").tobytes())
        digest.update(b"".join(column.cast(pa.binary()).to_pylist()))
