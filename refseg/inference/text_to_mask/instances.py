"""From scored candidates to one answer: which of the objects that a detector found are meant."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from refseg.inference.pipeline import Segmentation

Instances = Literal["best", "all"]
"""Which candidates above the threshold are the answer: that with the highest score, as an
expression that refers to one object means; or all of them, as a noun means."""


def chosen(
    scores: Float[Tensor, " candidates"], threshold: float, instances: Instances
) -> Int64[Tensor, " chosen"]:
    """The candidates that are the answer, best first; none where no score is above the threshold.

    Args:
        scores: of the candidates, [0, 1].
        threshold: that a score must exceed.
        instances: `best` or `all`.

    Example:
        >>> chosen(torch.tensor([0.2, 0.9, 0.5]), 0.3, "all")
        tensor([1, 2])
        >>> chosen(torch.tensor([0.2, 0.9, 0.5]), 0.3, "best")
        tensor([1])
    """
    order = scores.argsort(descending=True, stable=True)
    above = order[scores[order] > threshold]
    return above[:1] if instances == "best" else above


def united(
    masks: list[Bool[Tensor, " height width"]],
    scores: Float[Tensor, " chosen"],
    size: tuple[int, int],
) -> Segmentation:
    """One answer of the chosen candidates: the union of their masks, and the best score.

    Args:
        masks: of the candidates, in the image's own size.
        scores: of the candidates, best first.
        size: height and width of the image, pixels.
    """
    union = torch.zeros(size, dtype=torch.bool)
    for mask in masks:
        union |= mask
    score = float(scores[0]) if len(scores) and bool(union.any()) else 0.0
    return Segmentation(union.numpy(), score)
