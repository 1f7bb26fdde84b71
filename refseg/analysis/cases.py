"""Which expressions a report shows: the best, the worst, typical ones, and some drawn by chance."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from refseg.evaluation.sums import column, image_codes

CASES = ("best", "worst", "typical", "random")
"""The kinds, in the order in which they choose: a case is shown once."""


def choose_cases(table: pa.Table, number: int, seed: int = 0) -> dict[str, list[int]]:
    """Choose rows for a gallery.

    Best and worst have the highest and the lowest IoU, typical ones lie next to the median, and
    random ones are any. Whatever is equal is put in an order by chance, else all of the worst (of
    which there may be thousands with an IoU of 0) would come from the first few images. No image
    is shown twice in one kind, as long as there are enough of them. Expressions that name nothing
    are only drawn by chance: their IoU is 0 or 1, and there is little to see.

    Args:
        table: results of a run.
        number: of cases of each kind, at most.
        seed: of the order of what is equal, and of the random ones.

    Returns:
        The rows of each kind of `CASES`; best and worst by their IoU, typical and random ones in
        the order of the table.

    Example:
        >>> from refseg.evaluation.results import RESULTS_SCHEMA
        >>> choose_cases(RESULTS_SCHEMA.empty_table(), number=4)
        {'best': [], 'worst': [], 'typical': [], 'random': []}
    """
    if not table.num_rows:
        return {kind: [] for kind in CASES}
    iou = column(table, "iou")
    names_something = column(table, "area") > 0
    images = image_codes(table)
    shuffled = np.random.default_rng(seed).permutation(table.num_rows)
    visible = shuffled[names_something[shuffled]]
    orders = {
        "best": _by(-iou, visible),
        "worst": _by(iou, visible),
        "typical": _by(np.abs(iou - np.median(iou)), visible),
        "random": shuffled,
    }
    chosen: dict[str, list[int]] = {}
    for kind in CASES:
        taken = {row for rows in chosen.values() for row in rows}
        free = (row for row in orders[kind].tolist() if row not in taken)
        rows = _of_different_images(free, images, number)
        chosen[kind] = rows if kind in {"best", "worst"} else sorted(rows)
    return chosen


def _by(
    values: Float64[np.ndarray, " expressions"], rows: Int64[np.ndarray, " rows"]
) -> Int64[np.ndarray, " rows"]:
    return rows[np.argsort(values[rows], kind="stable")]


def _of_different_images(
    rows: Iterable[int], images: Int64[np.ndarray, " expressions"], number: int
) -> list[int]:
    """The first rows that lie in different images; then others, in their order, if need be."""
    seen: set[int] = set()
    again: list[int] = []

    def first_of_each() -> Iterator[int]:
        for row in rows:
            image = int(images[row])
            if image in seen:
                again.append(row)
            else:
                seen.add(image)
                yield row

    first = first_of_each()
    chosen = [row for row, _ in zip(first, range(number), strict=False)]
    return [*chosen, *again[: number - len(chosen)]]
