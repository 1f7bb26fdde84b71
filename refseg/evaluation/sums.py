"""Every figure is a ratio of two sums over expressions: here they are summed image by image.

Expressions of one image share its difficulty, and often the object; what is drawn anew in a
bootstrap is therefore an image with all of its expressions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int64, Shaped

from refseg.errors import ConfigError, DataError

Unit = Literal["image", "expression"]
"""What counts as independent: images, or single expressions (for comparison only)."""

OVERALL_IOU = "overall_iou"
MEAN_IOU = "mean_iou"
PRECISION = "precision@"


@dataclass(frozen=True)
class ImageSums:
    """The numerators and denominators of some figures, summed over each image.

    Args:
        numerators: a row for each figure (or run).
        denominators: the same rows.
        empty: the figure where the sum of the denominators is 0.
    """

    numerators: Float64[np.ndarray, "figures images"]
    denominators: Float64[np.ndarray, "figures images"]
    empty: float = 1.0

    @property
    def images(self) -> int:
        """How many images there are."""
        return int(self.numerators.shape[1])

    def figures(self) -> Float64[np.ndarray, " figures"]:
        """The figures over all images."""
        return ratio(self.numerators.sum(axis=1), self.denominators.sum(axis=1), self.empty)


def ratio(
    numerators: Float64[np.ndarray, "*shape"],
    denominators: Float64[np.ndarray, "*shape"],
    empty: float,
) -> Float64[np.ndarray, "*shape"]:
    """Divide, where there is something to divide by."""
    result = np.full(numerators.shape, empty)
    np.divide(numerators, denominators, out=result, where=denominators > 0)
    return result


def stack(parts: Sequence[ImageSums]) -> ImageSums:
    """The figures of several, over the same images, one below the other."""
    return ImageSums(
        np.concatenate([part.numerators for part in parts]),
        np.concatenate([part.denominators for part in parts]),
        parts[0].empty,
    )


def image_sums(
    tables: Sequence[pa.Table],
    metrics: Sequence[str] = (OVERALL_IOU,),
    by: Unit = "image",
    rows: Bool[np.ndarray, " expressions"] | None = None,
) -> ImageSums:
    """Sum the figures of some runs over each image: a row for each metric and, inside, each run.

    Args:
        tables: results of runs on the same expressions, in the same order.
        metrics: `overall_iou`, `mean_iou` or `precision@X`.
        by: `expression` takes each expression for an image of its own.
        rows: the expressions that count, None for all. Images without any stay, with sums of 0,
            and a figure over none but such images is NaN.

    Raises:
        ConfigError: a metric is unknown.
        DataError: there are no expressions.
    """
    if not tables or not tables[0].num_rows:
        raise DataError("Expected expressions to evaluate, got none; check split and groups.")
    codes = image_codes(tables[0]) if by == "image" else np.arange(tables[0].num_rows)
    counted = np.ones(len(codes)) if rows is None else rows.astype(np.float64)
    terms = [_terms(table, metric) for metric in metrics for table in tables]
    numerators, denominators = (
        np.stack([np.bincount(codes, values * counted) for values in column])
        for column in zip(*terms, strict=True)
    )
    return ImageSums(numerators, denominators, 1.0 if rows is None else math.nan)


def image_codes(table: pa.Table) -> Int64[np.ndarray, " expressions"]:
    """The number of the image of each expression, from 0; ids count within their data set."""
    sources = table["source"].cast(pa.string()).combine_chunks().dictionary_encode()
    source = sources.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    _, image = np.unique(column(table, "image_id"), return_inverse=True)
    return np.unique(source * (int(image.max()) + 1) + image, return_inverse=True)[1]


def column(table: pa.Table, name: str) -> Shaped[np.ndarray, " expressions"]:
    """A column of numbers."""
    return table[name].to_numpy()


def metric_threshold(metric: str) -> float:
    """The X of `precision@X`.

    Raises:
        ConfigError: it is no such metric.
    """
    try:
        threshold = float(metric.removeprefix(PRECISION))
    except ValueError:
        threshold = math.nan
    if not metric.startswith(PRECISION) or not 0 <= threshold <= 1:
        raise ConfigError(
            f"Expected {OVERALL_IOU}, {MEAN_IOU} or {PRECISION}X with X in [0, 1] as a metric, "
            f"got '{metric}'; write {PRECISION}0.5, for one."
        )
    return threshold


def _terms(
    table: pa.Table, metric: str
) -> tuple[Float64[np.ndarray, " expressions"], Float64[np.ndarray, " expressions"]]:
    """What each expression adds to the numerator and to the denominator."""
    if metric == OVERALL_IOU:
        return (
            column(table, "intersection").astype(np.float64),
            column(table, "union").astype(np.float64),
        )
    iou = column(table, "iou").astype(np.float64)
    values = iou if metric == MEAN_IOU else (iou >= metric_threshold(metric)).astype(np.float64)
    return values, np.ones_like(values)
