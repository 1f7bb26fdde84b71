"""Whether the regions of an image know which of them an expression means."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.losses.base import Loss
from refseg.losses.logistic import weighted_logistic
from refseg.types import MINIMAP, Batch, Output


class MinimapLoss(Loss):
    """Cross-entropy of a coarse map of the mask, the minimap, divided by the weights' sum.

    The target of a cell is the share of it that the mask covers.

    Unlike in ReLA's code, no object vanishes. There, a cell is positive where the pixels around
    its centre are all in the mask (it is resized bilinearly, without smoothing, and cut off to
    whole numbers): at 480 pixels, a disc of 20 pixels' radius, of half a cell's area, may have no
    positive cell at all. `sampled` trains as it does.

    Args:
        positive_weight: of the covered share of a cell; 1.1 in ReLA's code.
        negative_weight: of the rest of it; 0.9 in ReLA's code.
        target: of a cell: `covered`, its share, or `sampled`, 1 where the mask has all the
            pixels around its centre.

    Raises:
        ConfigError: the network has no minimap.

    References:
        Liu, Ding, Jiang, *GRES: Generalized Referring Expression Segmentation*, CVPR 2023,
        https://arxiv.org/abs/2306.00968, section 4.
    """

    def __init__(
        self,
        positive_weight: float = 1.1,
        negative_weight: float = 0.9,
        target: Literal["covered", "sampled"] = "covered",
    ) -> None:
        super().__init__()
        self.positive_weight, self.negative_weight = positive_weight, negative_weight
        self.targets = {"covered": covered, "sampled": sampled}[target]

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        if MINIMAP not in output.auxiliary:
            raise ConfigError(
                "Expected a network with a minimap, for MinimapLoss, got one without; choose "
                "RegionDecoder, or leave the loss out."
            )
        assert batch.masks is not None
        logits = output.auxiliary[MINIMAP]
        rows, columns = logits.shape[-2:]
        targets = self.targets(batch.masks, rows, columns)
        return weighted_logistic(logits, targets, self.positive_weight, self.negative_weight)


def covered(
    masks: Bool[Tensor, " expressions height width"], rows: int, columns: int
) -> Float[Tensor, " expressions rows columns"]:
    """The share of each cell of a grid that masks cover.

    Args:
        masks: in network size.
        rows: of the grid.
        columns: of the grid.

    Example:
        >>> import torch
        >>> covered(torch.eye(4, dtype=torch.bool)[None], rows=2, columns=2)
        tensor([[[0.5000, 0.0000],
                 [0.0000, 0.5000]]])
    """
    return functional.adaptive_avg_pool2d(masks[:, None].float(), (rows, columns))[:, 0]


def sampled(
    masks: Bool[Tensor, " expressions height width"], rows: int, columns: int
) -> Float[Tensor, " expressions rows columns"]:
    """1 where masks have all of the (at most four) pixels around the centre of a cell, else 0.

    Args:
        masks: in network size.
        rows: of the grid.
        columns: of the grid.

    Example:
        >>> import torch
        >>> masks = torch.ones(1, 8, 8, dtype=torch.bool)
        >>> masks[:, 1, 1] = False  # around the centre of the first cell
        >>> sampled(masks, rows=2, columns=2)
        tensor([[[0., 1.],
                 [1., 1.]]])
    """
    return functional.interpolate(
        masks[:, None].float(), (rows, columns), mode="bilinear", align_corners=False
    )[:, 0].floor()
