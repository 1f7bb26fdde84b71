"""The rows of results: what was counted of each expression, joined with what is known of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from refseg.data.statistics.expression_columns import ExpressionColumns
from refseg.evaluation.counting import PixelCounts
from refseg.evaluation.measures import MeasureFile, merged
from refseg.evaluation.predictions import Predictions
from refseg.evaluation.results import RLE, writing_results
from refseg.masks import encode
from refseg.types import Batch


def add_measures(
    file: MeasureFile,
    loader: int,
    batch: Batch,
    counts: PixelCounts,
    found: Predictions,
    save_masks: bool,
) -> None:
    """Write what was counted of a batch.

    Args:
        file: of this process.
        loader: number of the evaluated split.
        batch: with its expressions.
        counts: by the standard protocol.
        found: what was predicted.
        save_masks: write each prediction too, in run lengths.
    """
    file.add(
        loader,
        rle=[encode(mask.numpy()).counts for mask in found.masks] if save_masks else None,
        expression_id=batch.expression_ids,
        intersection=counts.intersections.numpy(),
        union=counts.unions.numpy(),
        area=counts.areas.numpy(),
        score=found.scores.numpy(),
    )


def write_rows(
    path: Path, parts: Sequence[Path], of_splits: Mapping[str, ExpressionColumns], save_masks: bool
) -> None:
    """Write the table of results of an evaluation.

    Args:
        path: of the table.
        parts: what the processes of the evaluation have counted.
        of_splits: the columns of each split that need no model, in the order of the loaders.
        save_masks: the parts have the predictions, too.
    """
    with writing_results(path, save_masks) as write:
        for loader, (split, of_expressions) in enumerate(of_splits.items()):
            for rows in result_rows(parts, loader, of_expressions, split):
                write(rows if save_masks else rows.drop([RLE.name]))


def result_rows(
    parts: Sequence[Path], loader: int, of_expressions: ExpressionColumns, split: str
) -> Iterator[pa.Table]:
    """The rows of results of a split, a few thousand at a time, by rising id.

    Args:
        parts: what the processes of the evaluation have counted.
        loader: number of the split's data loader.
        of_expressions: the columns that need no model.
        split: its name.
    """
    for measures in merged(parts, loader):
        intersection, union, area = (
            measures[name].to_numpy() for name in ("intersection", "union", "area")
        )
        rows = of_expressions.rows(measures["expression_id"].to_numpy())
        columns = {
            "intersection": intersection,
            "union": union,
            "area": area,
            "predicted_area": intersection + union - area,
            "iou": np.where(union > 0, intersection / np.maximum(union, 1), 1.0),
            "score": pc.if_else(pc.is_nan(measures["score"]), None, measures["score"]),
            "split": pa.array([split] * len(measures)).dictionary_encode(),
            RLE.name: measures["rle"],
        }
        for name, values in columns.items():
            column = values if isinstance(values, pa.ChunkedArray) else [values]
            rows = rows.append_column(name, column)
        yield rows
