"""How sure a model is of its predictions."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from refseg.types import Batch


def mean_probabilities(
    batch: Batch,
    logits: Float[Tensor, " expressions size size"],
    predictions: Sequence[Bool[Tensor, " _ _"]],
) -> Float64[Tensor, " expressions"]:
    """The mean probability over what is predicted, in the image's own size; 0 if nothing is.

    Args:
        batch: whose images were fitted into the network's square.
        logits: in network size.
        predictions: one per expression, in its image's own size.
    """
    means = []
    for own, prediction in zip(batch.to_own_size(logits), predictions, strict=True):
        inside = own[prediction.to(own.device)].sigmoid()
        means.append(inside.sum(dtype=torch.float64) / max(1, len(inside)))
    return torch.stack(means).cpu()
