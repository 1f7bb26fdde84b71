"""From the rows of results back to the figures of each split."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Int64

from refseg.evaluation.functional import (
    mean_iou,
    no_target_accuracy,
    overall_iou,
    precision_at,
    target_accuracy,
)
from refseg.evaluation.protocols import THRESHOLDS


def figures_of(
    table: pa.Table, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, dict[str, float]]:
    """The figures that `ReferringMetrics` gives, bit for bit, from what it counted.

    Args:
        table: with the columns `split`, `intersection` and `union` of `RESULTS_SCHEMA`, and `area`
            where some expressions may name nothing.
        thresholds: the X of precision@X, IoU in [0, 1].

    Example:
        >>> table = pa.table({"split": ["val", "val"], "intersection": [1, 3], "union": [4, 4]})
        >>> figures_of(table, thresholds=(0.5,))
        {'val': {'overall_iou': 0.5, 'mean_iou': 0.5, 'precision@0.5': 0.5}}
    """
    splits = table["split"].cast(pa.string())
    figures = {}
    for split in pc.unique(splits).to_pylist():
        rows = table.filter(pc.equal(splits, split))
        intersections, unions = (_column(rows, name) for name in ("intersection", "union"))
        found = {
            "overall_iou": overall_iou(intersections, unions),
            "mean_iou": mean_iou(intersections, unions),
        }
        for threshold in thresholds:
            found[f"precision@{threshold}"] = precision_at(intersections, unions, threshold)
        if "area" in rows.column_names and pc.any(pc.equal(rows["area"], 0)).as_py():
            areas = _column(rows, "area")
            both = areas, intersections + unions - areas
            found["no_target_accuracy"] = no_target_accuracy(*both)
            found["target_accuracy"] = target_accuracy(*both)
        figures[split] = {name: value.item() for name, value in found.items()}
    return figures


def empty_splits(table: pa.Table) -> dict[str, int]:
    """The splits in which every prediction is empty, though expressions name something.

    Args:
        table: with the columns `split`, `intersection`, `union` and `area` of `RESULTS_SCHEMA`.

    Returns:
        Split -> number of its expressions.

    Example:
        >>> columns = {"split": ["val", "testA"], "intersection": [0, 0], "union": [4, 4]}
        >>> empty_splits(pa.table({**columns, "area": [4, 3]}))
        {'val': 1}
    """
    splits = table["split"].cast(pa.string())
    found = {}
    for split in pc.unique(splits).to_pylist():
        rows = table.filter(pc.equal(splits, split))
        inside, both, area = (_column(rows, name) for name in ("intersection", "union", "area"))
        if area.any() and not (inside + both - area).any():
            found[split] = len(area)
    return found


def _column(rows: pa.Table, name: str) -> Int64[torch.Tensor, " rows"]:
    return torch.from_numpy(rows[name].to_numpy().astype(np.int64))
