"""The Dice loss of every expression."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from refseg.errors import ConfigError
from refseg.losses.base import MaskLoss
from refseg.precision import full_precision


class DiceLoss(MaskLoss):
    """One minus the soft Dice coefficient of each expression, averaged over expressions.

    Every object weighs the same, however small; the per-pixel loss is ruled by large ones. Dice is
    2·Σpy / (Σp + Σy) with p the probability and y the mask.

    Args:
        smoothing: pixels added to numerator and denominator; with 0 an expression without any
            foreground has no gradient.

    Raises:
        ConfigError: The smoothing is negative.

    References:
        Milletari, Navab, Ahmadi: V-Net, 3DV 2016, section 3, which squares the terms of the
        denominator; unlike it, they are plain sums here. https://arxiv.org/abs/1606.04797

    Example:
        >>> logits = torch.tensor([[[100.0, 100.0, -100.0]]])
        >>> masks = torch.tensor([[[True, False, False]]])
        >>> DiceLoss(smoothing=1.0).of_masks(logits, masks)  # 1 - 3/4
        tensor(0.2500)
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        super().__init__()
        if smoothing < 0:
            raise ConfigError(f"Expected a smoothing of at least 0 pixels, got {smoothing}.")
        self.smoothing = smoothing

    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the mean Dice loss of a batch."""
        probabilities = full_precision(logits).sigmoid()
        shared = (probabilities * masks).sum(dim=(1, 2))
        total = probabilities.sum(dim=(1, 2)) + masks.sum(dim=(1, 2))
        # Without smoothing, an empty mask and probabilities that underflow to 0 give 0 / 0.
        tiny = torch.finfo(total.dtype).tiny
        dice = (2 * shared + self.smoothing) / (total + self.smoothing).clamp(min=tiny)
        return (1 - dice).mean()
