"""A table of references as an Arrow file, which is mapped into memory instead of being read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from refseg.data.references import References
from refseg.data.relative_paths import relative_to_root, under_root
from refseg.errors import DataError


def write_table(references: References, path: Path, root: Path) -> None:
    """Write all columns, uncompressed, so that the file can be mapped.

    Args:
        references: the table.
        path: the file.
        root: the folder of the data; paths of images under it are written relative to it, so that
            the folder can be moved or mounted elsewhere.

    Raises:
        OSError: the file cannot be written.
    """
    table = _with_paths(references.table, partial(relative_to_root, root=root))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path, root: Path) -> References:
    """Map a file that `write_table` wrote; nothing but the paths of the images is copied.

    The processes that map it share its memory, and the disk supplies what is looked at.

    Args:
        path: the file. It may be removed or replaced meanwhile, but not changed.
        root: the folder of the data, as the paths of the images shall begin.

    Raises:
        DataError: there is no such file any more, or it is no such table.
    """
    try:
        with pa.memory_map(str(path)) as file:  # the buffers keep the map open
            table = pa.ipc.open_file(file).read_all()
            table = _with_paths(table, partial(under_root, root=root))
            return References(table, reopen=partial(read_table, path, root))
    except FileNotFoundError:
        raise DataError(
            f"{path} has gone: the data set was changed or its cache removed while this run was "
            "on; start the run again."
        ) from None
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(
            f"{path} is no table of references ({error}); remove it, so that it is made anew."
        ) from None


def _with_paths(table: pa.Table, change: Callable[[list[str]], list[str]]) -> pa.Table:
    """The same table with the different values of `image_path` changed, and nothing copied."""
    position = table.schema.get_field_index("image_path")
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices, pa.array(change(chunk.dictionary.to_pylist()), pa.string())
        )
        for chunk in table["image_path"].chunks
    ]
    field = table.schema.field(position)
    return table.set_column(position, field, pa.chunked_array(chunks, field.type))
