"""The weighted logistic loss of every pixel."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.losses.base import MaskLoss
from refseg.precision import full_precision


class WeightedLogisticLoss(MaskLoss):
    """Binary cross-entropy of every pixel, with one weight for foreground and one for background.

    With `reduction="mean"` it is the loss of Hu et al.: the mean over all pixels of the batch,
    divided by their number, not by the sum of the weights; the paper weighs (1, 1) in low
    resolution and (1, 1/3) in high resolution. With `reduction="sum"` and equal weights it is the
    loss of RMI, which trains with one expression per batch; with `"expression_sum"`, RMI's for
    larger batches: the same number for one expression, and the same size for any number of them,
    so that the learning rate and the weight decay keep their meaning.

    Args:
        positive_weight: of pixels inside of the mask.
        negative_weight: of pixels outside of it.
        reduction: "mean" or "sum", over all pixels of all expressions; "expression_sum" is the sum
            over the pixels of an expression, averaged over expressions; "weights" is the sum over
            all pixels divided by the sum of their weights, as torch divides the cross-entropy of
            two weighted classes: LAVT's and ReLA's loss, with weights of 1.1 and 0.9, of the
            difference of their two logits.

    Raises:
        ConfigError: A weight is negative, or both are 0.

    References:
        Hu, Rohrbach, Darrell: Segmentation from Natural Language Expressions, ECCV 2016.
        https://arxiv.org/abs/1603.06180

        Liu et al.: Recurrent Multimodal Interaction for Referring Image Segmentation, ICCV 2017.
        https://arxiv.org/abs/1703.07939

    Example:
        >>> loss = WeightedLogisticLoss(negative_weight=0.5)
        >>> masks = torch.tensor([[[True, False]]])
        >>> loss.of_masks(torch.zeros(1, 1, 2), masks)  # (1 + 1/2) log(2) / 2
        tensor(0.5199)
    """

    def __init__(
        self,
        positive_weight: float = 1.0,
        negative_weight: float = 1.0,
        reduction: Literal["mean", "sum", "expression_sum", "weights"] = "mean",
    ) -> None:
        super().__init__()
        if min(positive_weight, negative_weight) < 0 or positive_weight + negative_weight == 0:
            raise ConfigError(
                "Expected weights of at least 0, not both 0, got "
                f"positive_weight={positive_weight} and negative_weight={negative_weight}."
            )
        self.positive_weight = positive_weight
        self.negative_weight = negative_weight
        self.reduction = reduction

    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the weighted cross-entropy of a batch."""
        logits = full_precision(logits)
        foreground = logits.new_tensor(self.positive_weight)
        weights = torch.where(masks, foreground, self.negative_weight)
        total = functional.binary_cross_entropy_with_logits(
            logits,
            masks.to(logits.dtype),
            weight=weights,
            reduction="mean" if self.reduction == "mean" else "sum",
        )
        if self.reduction == "expression_sum":
            return total / max(1, len(logits))
        return total / weights.sum() if self.reduction == "weights" else total


def weighted_logistic(
    logits: Float[Tensor, " *shape"],
    targets: Float[Tensor, " *shape"] | Bool[Tensor, " *shape"],
    positive_weight: float,
    negative_weight: float,
) -> Float[Tensor, ""]:
    """Cross-entropy of two weighted classes, divided by the sum of the weights.

    As `WeightedLogisticLoss` with `reduction="weights"`, of anything that has logits.

    Args:
        logits: before the sigmoid.
        targets: yes or no, or the share that is yes, [0, 1].
        positive_weight: of yes.
        negative_weight: of no.

    Example:
        >>> weighted_logistic(torch.zeros(2), torch.tensor([1.0, 0.25]), 1.1, 0.9)
        tensor(0.6931)
    """
    logits = full_precision(logits)
    positive = positive_weight * targets.to(logits.dtype)
    negative = negative_weight * (1 - targets.to(logits.dtype))
    losses = positive * functional.softplus(-logits) + negative * functional.softplus(logits)
    return losses.sum() / (positive + negative).sum()
