"""A loss on the logits that a decoder makes, before they are enlarged to network size."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.losses.base import Loss, MaskLoss
from refseg.types import GRID_LOGITS, Batch, Output


class GridLoss(Loss):
    """A loss on the decoder's own grid, coarser than the image: CRIS trains so at stride 4.

    The mask is brought to the grid by nearest neighbours, as torch rounds them: the cell is
    foreground where its first pixel is. The decoder has to give `auxiliary["grid_logits"]`, as
    `TextKernelDecoder` does.

    Unlike in CRIS, masks are boolean: its own are interpolated into network size, and between 0 and
    1 at their edges.

    Args:
        loss: of logits and masks of the grid's size.

    Raises:
        ConfigError: the decoder does not give them.
    """

    def __init__(self, loss: MaskLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Output, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        if GRID_LOGITS not in output.auxiliary:
            raise ConfigError(
                "Expected a decoder that gives logits of its own grid, for GridLoss, got one that "
                "does not; use TextKernelDecoder, or the inner loss alone."
            )
        assert batch.masks is not None
        logits = output.auxiliary[GRID_LOGITS]
        h, w = logits.shape[-2:]
        masks = functional.interpolate(batch.masks[:, None].float(), size=(h, w), mode="nearest")
        return self.loss.of_masks(logits, masks[:, 0] > 0)
