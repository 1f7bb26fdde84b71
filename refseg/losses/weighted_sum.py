"""Several losses as one."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.losses.base import Loss, MaskLoss
from refseg.types import Batch, Output


class WeightedSum(MaskLoss):
    """Several losses, each times its weight, added up.

    Where all of them are losses of masks, so is the sum.

    Args:
        losses: the terms.
        weights: one per loss.

    Raises:
        ConfigError: There is no loss, or the numbers of losses and weights differ.

    Example:
        >>> from refseg.losses import DiceLoss, WeightedLogisticLoss
        >>> loss = WeightedSum([WeightedLogisticLoss(), DiceLoss()], weights=[1.0, 0.5])
        >>> logits, masks = torch.zeros(1, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool)
        >>> loss.of_masks(logits, masks)  # log(2) + 0.5 * (1 - (2 * 2 + 1) / (2 + 4 + 1))
        tensor(0.8360)
    """

    def __init__(self, losses: Sequence[Loss], weights: Sequence[float]) -> None:
        super().__init__()
        if not losses or len(losses) != len(weights):
            raise ConfigError(
                f"Expected one weight per loss and at least one loss, got {len(losses)} losses "
                f"and {len(weights)} weights."
            )
        self.losses = nn.ModuleList(losses)
        self.weights = tuple(weights)

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the weighted sum of all losses of a batch."""
        pairs = zip(self.losses, self.weights, strict=True)
        return torch.stack([weight * loss(output, batch) for loss, weight in pairs]).sum()

    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the weighted sum of all losses of logits and masks."""
        pairs = zip(self.losses, self.weights, strict=True)
        terms = [weight * cast("MaskLoss", loss).of_masks(logits, masks) for loss, weight in pairs]
        return torch.stack(terms).sum()
