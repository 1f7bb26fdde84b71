"""What training minimises: per-pixel logistic loss, Dice, per-cell losses, and weighted sums.

Every loss takes the output of a network and its batch and returns one number. The arithmetic is
float32 (or float64, if the logits are), in mixed precision too.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.precision import full_precision
from refseg.types import WORDS, Batch, Output


class Loss(nn.Module, ABC):
    """What all losses have in common: how they are called.

    A sum of pixels grows with the batch, a mean does not: the learning rate belongs to the
    reduction.
    """

    @abstractmethod
    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch.

        Args:
            output: all that the network answers.
            batch: with masks.
        """


class MaskLoss(Loss):
    """A loss of logits and masks alone; subclasses write `of_masks`."""

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of the logits of a batch."""
        assert batch.masks is not None
        return self.of_masks(output.logits, batch.masks)

    @abstractmethod
    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the loss of logits and masks of the same size.

        Args:
            logits: before the sigmoid, in network size.
            masks: the true segmentations, in the same size.
        """


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


class CellLoss(MaskLoss):
    """A loss on one logit per cell of the feature grid, as both papers train in low resolution.

    The logit of a cell is read off the pixel on which the decoder leaves it unchanged: the upper
    left one of the cell (`BilinearDecoder` with a `legacy` grid: RMI), or the middle one
    (`DeconvolutionDecoder` with its filter as it starts: LSTM-CNN). So loss and gradient are
    exactly those of the grid, and the prediction in network size stays what is evaluated.

    Args:
        loss: of logits and targets of cells.
        stride: pixels per cell, the backbone's; 8 in RMI, 32 in LSTM-CNN.
        target: what makes a cell foreground: `subsampled`, its upper left pixel (RMI), or
            `any_foreground`, any of its pixels (LSTM-CNN).
        value: the pixel that has the logit of the cell, `first` or `middle`.

    Raises:
        ConfigError: the stride is not positive, or does not divide the size of the logits.

    Example:
        >>> loss = CellLoss(WeightedLogisticLoss(reduction="sum"), stride=2)
        >>> logits = torch.arange(16.0).view(1, 4, 4)  # of the four cells: 0, 2, 8, 10
        >>> loss.of_masks(logits, logits > 1).round(decimals=2)
        tensor(0.8200)
    """

    def __init__(
        self,
        loss: MaskLoss,
        stride: int,
        target: Literal["subsampled", "any_foreground"] = "subsampled",
        value: Literal["first", "middle"] = "first",
    ) -> None:
        super().__init__()
        if stride < 1:
            raise ConfigError(f"Expected a stride of at least 1 pixel, got {stride}.")
        self.loss, self.stride = loss, stride
        self.targets = {"subsampled": subsampled, "any_foreground": any_foreground}[target]
        self.offset = 0 if value == "first" else stride // 2

    def of_masks(
        self,
        logits: Float[Tensor, " expressions height width"],
        masks: Bool[Tensor, " expressions height width"],
    ) -> Float[Tensor, ""]:
        """Return the loss of the cells of a batch."""
        height, width = logits.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ConfigError(
                f"Expected images of whole cells of {self.stride} pixels for CellLoss, got "
                f"{height} × {width} pixels; change data.image_size, or the stride of the loss."
            )
        cells = logits[:, self.offset :: self.stride, self.offset :: self.stride]
        return self.loss.of_masks(cells, self.targets(masks, self.stride))


class WordLoss(Loss):
    """How well the words of an expression can be told from the pixels that it names.

    The mean logits of the words over the cells of the true mask, weighted by the share of each cell
    that lies in it; the cross-entropy of the softmax over the vocabulary, averaged over the words
    of an expression, then over expressions. A backbone that learns from scratch needs to be told
    apart what looks different before a fusion can find it: this tells it directly, where masks do
    so through all that follows. Words of places, which no pixel shows, keep a share of it.

    The network has to name words (`model.name_words true`). Expressions that name nothing do not
    count.

    Raises:
        ConfigError: the network does not name words.
    """

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        if WORDS not in output.auxiliary:
            raise ConfigError(
                "Expected a network that names words, for WordLoss, got one that does not; set "
                "model.name_words true, or leave the loss out."
            )
        assert batch.masks is not None
        logits = full_precision(output.auxiliary[WORDS])
        h, w = logits.shape[-2:]
        masks = batch.masks[:, None].to(logits.dtype)
        shares = functional.adaptive_avg_pool2d(masks, (h, w))
        totals = shares.sum((2, 3))
        pooled = (logits * shares).sum((2, 3)) / totals.clamp(min=1e-3)
        of_words = pooled.log_softmax(1).gather(1, batch.tokens)
        read = batch.token_mask.to(logits.dtype)
        losses = -(of_words * read).sum(1) / read.sum(1)
        named = (totals[:, 0] > 0).to(logits.dtype)
        return (losses * named).sum() / named.sum().clamp(min=1)


class WeightedSum(MaskLoss):
    """Several losses, each times its weight, added up.

    Where all of them are losses of masks, so is the sum.

    Args:
        losses: the terms.
        weights: one per loss.

    Raises:
        ConfigError: There is no loss, or the numbers of losses and weights differ.

    Example:
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


def subsampled(
    masks: Bool[Tensor, " expressions height width"], stride: int
) -> Bool[Tensor, " expressions h w"]:
    """The pixel at the upper left of each cell, as RMI takes it (stride 8).

    A thin object between these pixels vanishes. It is what TensorFlow's bilinear downsampling
    gives, and where legacy upsampling puts the value of the cell.

    Args:
        masks: in network size.
        stride: pixels per cell.

    Example:
        >>> import torch
        >>> subsampled(torch.eye(4, dtype=torch.bool)[None], stride=2)
        tensor([[[ True, False],
                 [False,  True]]])
    """
    return masks[:, ::stride, ::stride]


def any_foreground(
    masks: Bool[Tensor, " expressions height width"], stride: int
) -> Bool[Tensor, " expressions h w"]:
    """Whether a cell has any foreground, as in the low-resolution stage of LSTM-CNN (stride 32).

    Args:
        masks: in network size; cells at the lower and right border may be incomplete.
        stride: pixels per cell.

    Example:
        >>> import torch
        >>> any_foreground(torch.eye(4, dtype=torch.bool)[None, :3], stride=2)
        tensor([[[ True, False],
                 [False,  True]]])
    """
    most = functional.max_pool2d(masks[:, None].float(), stride, ceil_mode=True)
    return most[:, 0] > 0
