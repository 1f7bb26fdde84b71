"""What is predicted in the image's own size, and how sure a model is of it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from refseg.types import Batch


class Predictions(NamedTuple):
    """What a network says of the expressions of a batch, on the CPU.

    Args:
        masks: one per expression, in its image's own size.
        scores: the mean probability over each mask, 0 where it is empty.
    """

    masks: list[Bool[Tensor, " height width"]]
    scores: Float64[Tensor, " expressions"]


def predict_with_scores(
    batch: Batch, logits: Float[Tensor, " expressions size size"]
) -> Predictions:
    """Foreground by the rule of the standard protocol, and the mean probability over it.

    Masks are those of `predict`, to the last bit. Each map is brought to the image's own size
    once, alone, and let go before the next one, so that memory does not depend on their number.

    Args:
        batch: whose images were fitted into the network's square.
        logits: in network size.
    """
    masks, scores = [], []
    for own, image in zip(logits, batch.image_index.tolist(), strict=True):
        values = batch.geometries[image].invert(own.clone()[None])[0]
        mask, inside = _foreground(values)
        total = inside.sigmoid().sum(dtype=torch.float64)
        scores.append(float(total) / max(1, len(inside)))
        masks.append(mask)
    return Predictions(masks, torch.tensor(scores, dtype=torch.float64))


def _foreground(
    values: Float[Tensor, " height width"],
) -> tuple[Bool[Tensor, " height width"], Float[Tensor, " pixels"]]:
    """Where logits are above 0, on the CPU, and these logits."""
    if values.device.type != "cpu":
        mask = values > 0
        return mask.cpu(), values[mask]
    array = values.numpy()  # which compares and chooses several times as fast as torch
    mask = np.greater(array, 0)
    return torch.from_numpy(mask), torch.from_numpy(array[mask])
