"""What a run predicted, expression by expression, as a file that other programs can read.

`results.parquet` has a row per expression and split, `summary.json` beside it says what was
evaluated, with what, and the figures that follow from the rows. The summary knows its rows by their
digest: an evaluation that is killed between its files leaves none that belongs to other rows.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from refseg.errors import DataError
from refseg.files import replacing

RESULTS_FILE = "results.parquet"
CRF_RESULTS_FILE = "results_crf.parquet"  # the same after DenseCRF, where it was asked for
SUMMARY_FILE = "summary.json"
METRICS_FILE = "metrics.json"
DIGESTS = "rows_sha256"
"""In the summary: the digest of each file of rows that it describes, by the file's name."""

_NAMES = pa.dictionary(pa.int32(), pa.string())

RESULTS_SCHEMA = pa.schema(
    [
        ("expression_id", pa.int64()),
        ("reference_id", pa.int64()),
        ("annotation_ids", pa.list_(pa.int64())),
        ("image_id", pa.int64()),
        ("source", _NAMES),  # the data set, for messages: "refcoco (unc)"
        ("split", _NAMES),  # as in the summary: "testA", "val+testA", of a mixture "refcoco/val"
        ("expression", pa.string()),
        ("image_path", _NAMES),
        ("intersection", pa.int64()),  # pixels, like the next three
        ("union", pa.int64()),
        ("area", pa.int64()),  # of the truth
        ("predicted_area", pa.int64()),
        ("iou", pa.float64()),
        ("score", pa.float64()),  # mean probability over the prediction, 0 where it is empty
        ("words", pa.int32()),  # of the expression
        ("category", pa.string()),  # null where it is unknown; several are joined by ", "
        ("category_ids", pa.list_(pa.int64())),
        ("object_size", pa.float64()),  # share of the image's area
        ("distractors", pa.int32()),  # other objects of the category in the image; null: unknown
        ("position_words", pa.bool_()),
        ("attribute_words", pa.bool_()),
        ("relation_words", pa.bool_()),
        ("mask_kind", _NAMES),  # "mask", or "box" where only a box was published
        ("height", pa.int32()),
        ("width", pa.int32()),
    ]
)
"""The columns. Within a split, ids of expressions are unique."""

_FORMER_NAMES = {"rivals": "distractors"}
"""Columns that files of earlier versions call otherwise."""

_ROUNDING = 1e-9  # of an IoU that another program has worked out
_NEVER_NULL = (
    *("expression_id", "image_id", "source", "split", "expression", "image_path"),
    *("intersection", "union", "area", "iou", "words", "object_size", "height", "width"),
)

RLE = pa.field("rle", pa.binary())
"""The prediction in COCO's compressed run lengths: one more column, where masks were saved."""


class Results(NamedTuple):
    """A run's predictions.

    Args:
        table: with the columns of `RESULTS_SCHEMA`, and perhaps `RLE`; one chunk.
        summary: what `summary.json` says; empty where that file is absent.
        path: of the table.
    """

    table: pa.Table
    summary: Mapping[str, Any]
    path: Path

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Overall IoU, mean IoU, precision@X, … of each split, from the rows."""
        from refseg.evaluation.figures import figures_of

        return figures_of(self.table)

    def __repr__(self) -> str:
        """The figures as a table."""
        from rich.console import Console

        from refseg.evaluation.tables import metric_table

        console = Console(record=True, width=100, file=StringIO(), force_jupyter=False)
        console.print(metric_table(self.figures))
        return f"{self.path}: {len(self.table):,} expressions\n{console.export_text().rstrip()}"


def write_results(path: Path, table: pa.Table) -> None:
    """Write the rows of a run; the file appears whole or not at all.

    Args:
        path: of the file; folders above it are made.
        table: with the columns of `RESULTS_SCHEMA`, and perhaps `RLE`.

    Raises:
        DataError: a column is missing, or has another type.
    """
    with writing_results(path, has_masks=RLE.name in table.column_names) as write:
        write(table)


@contextmanager
def writing_results(path: Path, has_masks: bool = False) -> Iterator[Callable[[pa.Table], None]]:
    """A function that writes some rows, to be called once for each part of the table.

    No more than a part is held in memory. The file appears at the end, whole, or not at all; right
    before, what describes the rows that it replaces goes.

    Args:
        path: of the file; folders above it are made.
        has_masks: whether the parts have the column `RLE`.

    Raises:
        DataError: a column of a part is missing, or has another type.
    """
    schema = RESULTS_SCHEMA.append(RLE) if has_masks else RESULTS_SCHEMA
    with replacing(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield lambda part: writer.write_table(_checked(part, f"the table for {path}"))
        for name in (SUMMARY_FILE, METRICS_FILE):
            path.with_name(name).unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file of rows."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_results(run: Path) -> Results:
    """Read what a run predicted.

    Args:
        run: the folder of an evaluation, its `results.parquet`, or the folder of a training with
            an evaluation in it (`test`, or else `validate`).

    Raises:
        DataError: there are no results, they are damaged, they contradict themselves, or the
            summary beside them is that of other rows.
    """
    path = _results_path(Path(run))
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); write it again with `refseg test`."
        ) from None
    table = _checked(table, str(path))
    _check_values(table, path)
    summary = _summary(path.parent / SUMMARY_FILE)
    _check_belongs(path, summary)
    return Results(table, summary, path)


def _check_belongs(path: Path, summary: Mapping[str, Any]) -> None:
    """Refuse a summary that was written for other rows than those beside it."""
    known = summary.get(DIGESTS)
    is_ours = path.name in {RESULTS_FILE, CRF_RESULTS_FILE}
    if isinstance(known, dict) and is_ours and known.get(path.name) != digest(path):
        raise DataError(
            f"Expected {SUMMARY_FILE} to describe the rows beside it, got that of other rows than "
            f"those in {path}: an evaluation was broken off, or a file was replaced; write both "
            "again with `refseg test`."
        )


def has_results(run: Path) -> bool:
    """Whether a folder is that of a run with results, so that `read_results` finds some.

    Args:
        run: the folder.
    """
    return any(path.is_file() for path in _candidates(run))


def _candidates(run: Path) -> list[Path]:
    return [run / RESULTS_FILE, *(run / verb / RESULTS_FILE for verb in ("test", "validate"))]


def _results_path(run: Path) -> Path:
    if run.is_file():
        return run
    for candidate in _candidates(run):
        if candidate.is_file():
            return candidate
    if not run.exists():
        raise DataError(f"{run} is absent; expected the folder of a run, or its {RESULTS_FILE}.")
    raise DataError(
        f"Expected {RESULTS_FILE} in {run}, or in its folder test, got none; make it with "
        "`refseg test --ckpt_path RUN/checkpoints/best.ckpt`."
    )


def _summary(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        summary = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not complete JSON ({error}); write it again with `refseg test`."
        ) from None
    if not isinstance(summary, dict):
        raise DataError(f"{path}: expected an object; write it again with `refseg test`.")
    return summary


def _checked(table: pa.Table, name: str) -> pa.Table:
    """The columns in their order and types, in one chunk."""
    table = table.rename_columns([_FORMER_NAMES.get(name, name) for name in table.column_names])
    wanted = RESULTS_SCHEMA
    if RLE.name in table.column_names:
        wanted = wanted.append(RLE)
    missing = [column for column in wanted.names if column not in table.column_names]
    if missing:
        raise DataError(
            f"Expected the columns of results, got a table without {', '.join(missing)}: {name}; "
            "write it again with `refseg test`."
        )
    try:
        table = table.select(wanted.names).replace_schema_metadata(None).cast(wanted)
    except pa.ArrowException as error:
        raise DataError(
            f"Expected the columns of results, got other types ({error}): {name}."
        ) from None
    return table.unify_dictionaries().combine_chunks()


def _check_values(table: pa.Table, path: Path) -> None:
    """Refuse rows with gaps or contradictions: other programs write such files, too."""
    gaps = [name for name in _NEVER_NULL if table[name].null_count]
    if gaps:
        raise DataError(
            f"Expected a value in each row, got rows without {', '.join(gaps)}: {path}; write it "
            "again with `refseg test`."
        )
    intersection, union, iou = (table[name].to_numpy() for name in ("intersection", "union", "iou"))
    counted = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    fits = (intersection >= 0) & (intersection <= union) & (np.abs(iou - counted) < _ROUNDING)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise DataError(
            f"Expected as IoU the intersection divided by the union, got {iou[row]} for "
            f"{intersection[row]} and {union[row]} pixels of expression "
            f"{table['expression_id'][row]}, and {(~fits).sum():,} such rows in all: {path}; write "
            "it again with `refseg test`."
        )
