"""How overall IoU grows while sentences are read, as an evaluation leaves it."""

import json
from collections.abc import Mapping
from pathlib import Path

from refseg.errors import DataError
from refseg.evaluation.results import RESULTS_FILE

Curves = dict[str, dict[int, dict[str, float]]]
"""Split -> percentage of the words -> figures."""


def overall_ious(curves: Curves) -> dict[str, dict[int, float]]:
    """Overall IoU alone: split -> percentage of the words -> [0, 1]."""
    return {
        split: {percentage: figures["overall_iou"] for percentage, figures in points.items()}
        for split, points in curves.items()
    }


def as_shares(points: Mapping[int, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """The points of a curve by the share of the words, as it stands in `metrics.json`.

    Example:
        >>> as_shares({20: {"overall_iou": 0.25}, 100: {"overall_iou": 0.5}})
        {'0.2': {'overall_iou': 0.25}, '1.0': {'overall_iou': 0.5}}
    """
    return {str(percentage / 100): figures for percentage, figures in points.items()}


def read_curves(results: Path) -> dict[str, dict[float, float]]:
    """The curves that an evaluation with `--words` has left beside its results.

    Args:
        results: the table of the results; that after DenseCRF has no curves.

    Returns:
        split -> share of the words, (0, 1] -> overall IoU, [0, 1]; empty where there are none.

    Raises:
        DataError: the file of the figures is damaged.
    """
    path = results.with_name("metrics.json")
    if results.name != RESULTS_FILE or not path.is_file():
        return {}
    try:
        curves = json.loads(path.read_bytes()).get("words", {})
        return {
            split: {float(share): float(figures["overall_iou"]) for share, figures in curve.items()}
            for split, curve in curves.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected the figures of an evaluation ({type(error).__name__}: {error}); "
            "write it again with `refseg test --words`."
        ) from None
