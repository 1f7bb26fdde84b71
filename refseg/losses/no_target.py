"""Whether a network says that nothing in the image is meant where nothing is."""

from jaxtyping import Float
from torch import Tensor

from refseg.errors import ConfigError
from refseg.losses.base import Loss
from refseg.losses.logistic import weighted_logistic
from refseg.types import Batch, Output


class NoTargetLoss(Loss):
    """Cross-entropy of the answer that nothing in the image is meant, divided by the weights' sum.

    Nothing is meant where the true mask is empty. The mask is the one of network size, in which an
    object of less than a pixel may have vanished.

    Args:
        positive_weight: of expressions that name nothing; 1.1 in ReLA's code.
        negative_weight: of the others; 0.9 in ReLA's code.

    Raises:
        ConfigError: the network does not say whether anything is meant.

    References:
        Liu, Ding, Jiang, *GRES: Generalized Referring Expression Segmentation*, CVPR 2023,
        https://arxiv.org/abs/2306.00968, section 4.
    """

    def __init__(self, positive_weight: float = 1.1, negative_weight: float = 0.9) -> None:
        super().__init__()
        self.positive_weight, self.negative_weight = positive_weight, negative_weight

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        if output.no_target is None:
            raise ConfigError(
                "Expected a network that says whether anything is meant, for NoTargetLoss, got one "
                "that does not; choose a decoder that does, such as RegionDecoder, or leave the "
                "loss out."
            )
        assert batch.masks is not None
        nothing = ~batch.masks.flatten(1).any(1)
        return weighted_logistic(
            output.no_target, nothing, self.positive_weight, self.negative_weight
        )
