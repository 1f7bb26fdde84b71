"""How well the words of an expression are told from the pixels that it names."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.losses.base import Loss
from refseg.precision import full_precision
from refseg.types import WORDS, Batch, Output


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
