"""A baseline that does not read the sentence: the score that a fusion has to exceed."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from refseg.data.readers.refer import read_refer
from refseg.masks import masks_of


def blind_oracle(
    root: Path, split: str, dataset: str = "shapes", split_by: str | None = None
) -> float:
    """Overall IoU of the best predictor that ignores the sentences but knows all masks.

    For each image it predicts one mask for all expressions. Among all possible masks, of whatever
    form, it is given those that together reach the highest overall IoU, so no predictor that
    gives an image's expressions the same mask can do better. A pixel that lies in the truth of `k`
    of an image's `n` expressions adds `k` to the intersection if predicted, and `n - k` to
    the union: the best masks hold the pixels with `k > iou * (n - k)`, where `iou` is what they
    reach (Dinkelbach's method finds it).

    Args:
        root: folder in REFER layout.
        split: which split to look at.
        dataset: name of the data set in that folder.
        split_by: who made the splits, where the folder has several.

    References:
        W. Dinkelbach, "On nonlinear fractional programming", Management Science 13 (1967).
    """
    references = read_refer(root, dataset, split_by).split(split)
    groups = references.images()
    counts = np.concatenate(
        [
            _pixel_counts(masks_of([references.truth(int(row)) for row in rows]))
            for rows in np.split(groups.rows, groups.offsets[1:-1])
        ]
    )
    return best_blind_iou(counts)


def best_blind_iou(counts: Int64[np.ndarray, " kinds 3"]) -> float:
    """The highest overall IoU from counts of pixels.

    Args:
        counts: rows of (number of expressions whose truth holds the pixel, number of other
            expressions of the image, number of such pixels).

    Example:
        Two objects of 10 pixels, an expression for each: predicting both gives 20 / 40.

        >>> best_blind_iou(np.array([[1, 1, 20], [0, 2, 80]]))
        0.5
    """
    inside, outside, pixels = counts.T
    truth = int((inside * pixels).sum())
    best = 0.0
    while True:
        predicted = inside > best * outside
        intersection = int((inside * pixels)[predicted].sum())
        union = truth + int((outside * pixels)[predicted].sum())
        reached = intersection / union
        if reached <= best:
            return best
        best = reached


def _pixel_counts(masks: np.ndarray) -> Int64[np.ndarray, " kinds 3"]:
    inside = np.arange(len(masks) + 1)
    pixels = np.bincount(masks.sum(axis=0).ravel(), minlength=len(masks) + 1)
    return np.stack([inside, len(masks) - inside, pixels], axis=1)
