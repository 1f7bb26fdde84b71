"""The expressions for which two models differ the most."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from refseg.evaluation.sums import column, image_codes


class Example(NamedTuple):
    """An expression with the IoU of two models, each the mean over its seeds.

    Args:
        split: of the data set.
        source: the data set.
        expression_id: unique within it.
        expression: the sentence.
        image_path: of the image.
        first: IoU of the first model, [0, 1].
        second: IoU of the other.
    """

    split: str
    source: str
    expression_id: int
    expression: str
    image_path: str
    first: float
    second: float

    @property
    def gain(self) -> float:
        """How much higher the first model's IoU is."""
        return self.first - self.second


def largest_gains_and_losses(
    first: Sequence[pa.Table], second: Sequence[pa.Table], number: int
) -> tuple[list[Example], list[Example]]:
    """Where the first model is better by most, and where it is worse by most.

    Expressions on which the two agree are neither.

    Args:
        first: results of one model, a table for each seed.
        second: results of the other, on the same expressions in the same order.
        number: of gains, and of losses, at most.
    """
    one, other = (_mean_iou(tables) for tables in (first, second))
    gains, losses = gain_rows(first, second, number)
    names = ["split", "source", "expression_id", "expression", "image_path"]
    found = []
    for rows in (gains, losses):
        records = first[0].select(names).take(pa.array(rows, pa.int64())).to_pylist()
        found.append(
            [
                Example(**record, first=float(one[row]), second=float(other[row]))
                for record, row in zip(records, rows, strict=True)
            ]
        )
    return found[0], found[1]


def gain_rows(
    first: Sequence[pa.Table], second: Sequence[pa.Table], number: int
) -> tuple[list[int], list[int]]:
    """The numbers of the rows where the first model is better by most, and worse by most.

    Args:
        first: as for `largest_gains_and_losses`.
        second: as well.
        number: of gains, and of losses, at most.
    """
    gain = _mean_iou(first) - _mean_iou(second)
    order = np.argsort(-gain, kind="stable")
    gains = [row for row in order[:number].tolist() if gain[row] > 0]
    losses = [row for row in order[::-1][:number].tolist() if gain[row] < 0]
    return gains, losses


def disagreement_rows(models: Sequence[Sequence[pa.Table]], number: int) -> list[int]:
    """The numbers of the rows where the IoU of the best and of the worst model lie furthest apart.

    Of an image, the first such expression is taken.

    Args:
        models: results of each model, a table for each seed: the same expressions in the same
            order.
        number: of rows, at most.
    """
    every = np.stack([_mean_iou(tables) for tables in models])
    apart = every.max(axis=0) - every.min(axis=0)
    images = image_codes(models[0][0])
    rows: list[int] = []
    for row in np.argsort(-apart, kind="stable").tolist():
        if len(rows) == number or apart[row] == 0:
            break
        if images[row] not in images[rows]:
            rows.append(row)
    return rows


def _mean_iou(tables: Sequence[pa.Table]) -> Float64[np.ndarray, " expressions"]:
    return np.asarray(np.mean([column(table, "iou") for table in tables], axis=0))
