"""What is predicted in the image's own size, and how sure a model is of it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from refseg.errors import PredictionError
from refseg.types import Batch


class Predictions(NamedTuple):
    """What a network says of the expressions of a batch, on the CPU.

    Args:
        masks: one per expression, in its image's own size.
        scores: the mean probability over each mask, 0 where it is empty.
    """

    masks: list[Bool[Tensor, " height width"]]
    scores: Float64[Tensor, " expressions"]


def check_logits(batch: Batch, logits: Float[Tensor, " expressions size size"]) -> None:
    """Make sure that a network's answers are numbers: NaN would count as an empty prediction.

    Args:
        batch: what was asked.
        logits: in network size.

    Raises:
        PredictionError: a logit is NaN or +∞; names the expression.
    """
    highest = logits.amax(dim=(-2, -1))  # NaN where any value is
    wrong = (~(highest < torch.inf)).nonzero()[:, 0].tolist()
    if not wrong:
        return
    first = wrong[0]
    image = batch.image_paths[int(batch.image_index[first])]
    record = f"{image} [{batch.expression_ids[first]}] " if image else ""
    raise PredictionError(
        f"Expected numbers from the network, got {highest[first].item()} for {record}"
        f"{batch.expressions[first]!r} ({len(wrong)} of {len(batch)} expressions of the batch): "
        "its weights are broken, or too large for the precision. Take an earlier checkpoint, or "
        "compute in 32 bit (--trainer.precision 32-true)."
    )


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
    for own, image in zip(logits.cpu().numpy(), batch.image_index.tolist(), strict=True):
        values = batch.geometries[image].to_own_size(own)
        mask = np.greater(values, 0)
        inside = torch.from_numpy(values[mask])  # numpy chooses several times as fast as torch
        total = inside.sigmoid_().sum(dtype=torch.float64)
        scores.append(float(total) / max(1, len(inside)))
        masks.append(torch.from_numpy(mask))
    return Predictions(masks, torch.tensor(scores, dtype=torch.float64))
