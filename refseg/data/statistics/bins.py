"""Bins of lengths, sizes and numbers of distractors."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped


@dataclass(frozen=True)
class Bins:
    """Groups of a quantity, side by side and without gaps; the last one is open.

    Args:
        lower: the least value of each group, rising. What is less than the first one belongs to
            the first group.
        labels: what tables and plots call the groups.

    Example:
        >>> GOOGLE_LENGTH_BINS.labels
        ('1–5', '6–7', '8–10', '11–20', '> 20')
        >>> GOOGLE_LENGTH_BINS.counts(np.array([1, 5, 6, 20, 21])).tolist()
        [2, 1, 0, 1, 1]
    """

    lower: tuple[int | float, ...]
    labels: tuple[str, ...]

    def index(self, values: Shaped[np.ndarray, " values"]) -> Int64[np.ndarray, " values"]:
        """The number of the group of each value, from 0."""
        return np.searchsorted(self.lower[1:], values, side="right").astype(np.int64)

    def counts(self, values: Shaped[np.ndarray, " values"]) -> Int64[np.ndarray, " bins"]:
        """How many values lie in each group."""
        return np.bincount(self.index(values), minlength=len(self.labels)).astype(np.int64)


# The groups of R. Liu et al., "Recurrent Multimodal Interaction for Referring Image Segmentation",
# ICCV 2017, where IoU is compared by the length of the expression, https://arxiv.org/abs/1703.07939.
# The papers cut sentences after 20 words; here what is longer has a group of its own.
GOOGLE_LENGTH_BINS = Bins((1, 6, 8, 11, 21), ("1–5", "6–7", "8–10", "11–20", "> 20"))
UNC_LENGTH_BINS = Bins((1, 3, 4, 6, 21), ("1–2", "3", "4–5", "6–20", "> 20"))
REFERIT_LENGTH_BINS = Bins((1, 2, 3, 5, 21), ("1", "2", "3–4", "5–20", "> 20"))
# The built-in set is ours: sentences of its first level have 1 to 12 words.
SHAPES_LENGTH_BINS = Bins((1, 4, 7, 10), ("1–3", "4–6", "7–9", "≥ 10"))
"""Words of an expression."""

LENGTH_BINS = {
    "gref": GOOGLE_LENGTH_BINS,
    "unc": UNC_LENGTH_BINS,
    "referit": REFERIT_LENGTH_BINS,
    "shapes": SHAPES_LENGTH_BINS,
}
"""The groups by the names that options give them, the paper's but for the last one."""

_LENGTH_BINS = {
    "refcoco": UNC_LENGTH_BINS,
    "refcoco+": UNC_LENGTH_BINS,
    "grefcoco": UNC_LENGTH_BINS,
    "referit": REFERIT_LENGTH_BINS,
    "refclef": REFERIT_LENGTH_BINS,
    "shapes": SHAPES_LENGTH_BINS,
}

SHARE_BINS = Bins((0, 0.01, 0.03, 0.1, 0.3), ("< 1 %", "1–3 %", "3–10 %", "10–30 %", "≥ 30 %"))
"""Area of an object as a share of its image's: each group spans about the same ratio."""

SIZE_BINS = Bins((0, 0.03, 0.1), ("small (< 3 %)", "medium (3–10 %)", "large (≥ 10 %)"))
"""The same shares in three groups, for figures that need many expressions in each."""

COCO_AREA_BINS = Bins((0, 32**2, 96**2), ("small", "medium", "large"))
"""Area of an object in pixels, as COCO groups it."""

DISTRACTOR_BINS = Bins((0, 1, 2, 3, 5, 10), ("0", "1", "2", "3–4", "5–9", "≥ 10"))
"""Other objects of the same class in the image."""

FEW_DISTRACTOR_BINS = Bins((0, 1, 2, 3), ("0", "1", "2", "≥ 3"))
"""The same in four groups."""


def length_bins(dataset: str) -> Bins:
    """The groups in which the paper counts the lengths of a data set's expressions.

    Args:
        dataset: its name, such as `refcoco+`; sets that the paper has not get RefCOCOg's groups,
            which suit whole sentences.
    """
    return _LENGTH_BINS.get(dataset, GOOGLE_LENGTH_BINS)
