"""What every loss promises."""

from abc import ABC, abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor, nn

from refseg.types import Batch, Output


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
