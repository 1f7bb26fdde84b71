"""What is measured while an evaluation runs: on disk at once, and put in order at its end.

Each process appends to a file of its own, so that memory does not grow with the number of
expressions. At the end one process reads the files of all, where they lie, and merges them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Shaped

from refseg.evaluation.functional import merge_repeats

MEASURES = pa.schema(
    [
        ("loader", pa.int32()),  # which of the evaluated splits
        ("expression_id", pa.int64()),
        ("intersection", pa.int64()),  # pixels, like the next two
        ("union", pa.int64()),
        ("area", pa.int64()),
        ("score", pa.float64()),
        ("rle", pa.binary()),
    ]
)
"""The columns; `rle` is null where masks are not saved."""

ROWS = 4096
"""So many rows are held in memory at a time."""

_RLE_BYTES = 1_000_000  # and so many bytes of masks
_NUMBERS = tuple(name for name in MEASURES.names if name != "rle")


class MeasureFile:
    """The measures of one process.

    Rows wait in arrays that are made once: small objects, left between the large masks of each
    batch, would keep freed memory from being used again.

    Args:
        path: of the file; folders above it are made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, MEASURES)
        self._columns = {
            name: np.zeros(ROWS, MEASURES.field(name).type.to_pandas_dtype()) for name in _NUMBERS
        }
        self._rle: list[bytes] = []
        self._length = self._rle_bytes = 0

    def add(
        self,
        loader: int,
        rle: Sequence[bytes] | None = None,
        **columns: Sequence[int] | Shaped[np.ndarray, " rows"],
    ) -> None:
        """Append the rows of a batch.

        Args:
            loader: which of the evaluated splits they belong to.
            rle: the column of that name; None where masks are not saved, in all batches alike.
            columns: the others of `MEASURES`, of equal length.
        """
        columns["loader"] = np.full(len(columns["expression_id"]), loader)
        length = len(columns["expression_id"])
        done = 0
        while done < length:
            count = min(length - done, ROWS - self._length)
            for name, values in self._columns.items():
                values[self._length : self._length + count] = columns[name][done : done + count]
            if rle is not None:
                self._rle += rle[done : done + count]
                self._rle_bytes += sum(map(len, rle[done : done + count]))
            self._length, done = self._length + count, done + count
            if self._length == ROWS or self._rle_bytes >= _RLE_BYTES:
                self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        masks: Sequence[bytes | None] = self._rle or [None] * self._length
        arrays = {name: values[: self._length] for name, values in self._columns.items()}
        self._writer.write(pa.RecordBatch.from_pydict({**arrays, "rle": masks}, MEASURES))
        self._rle.clear()
        self._length = self._rle_bytes = 0


def merged(paths: Sequence[Path], loader: int, rows: int = ROWS) -> Iterator[pa.Table]:
    """The measures of one split by rising id, each expression once, in tables of a few rows.

    Repeats are merged as in `ReferringMetrics` (`merge_repeats`).

    Args:
        paths: of the files of all processes, closed.
        loader: which of the evaluated splits.
        rows: of a table.
    """
    files = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in paths]
    table = pa.concat_tables([MEASURES.empty_table(), *files])  # stays on disk
    chosen = np.flatnonzero(table["loader"].to_numpy() == loader)
    ids, intersections, unions = (
        torch.from_numpy(table[name].to_numpy()[chosen])
        for name in ("expression_id", "intersection", "union")
    )
    order = chosen[merge_repeats(ids, intersections, unions).numpy()]
    for start in range(0, len(order), rows):
        yield table.take(order[start : start + rows])
