"""Moving padding to the left or to the right of sentences."""

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

_BEHIND = 2**32  # more than any number of words


def pad_right(
    values: Shaped[Tensor, " expressions words *rest"],
    token_mask: Bool[Tensor, " expressions words"],
) -> tuple[Shaped[Tensor, " expressions words *rest"], Bool[Tensor, " expressions words"]]:
    """Bring the words of each sentence to its front, in their order, and padding to its end.

    Args:
        values: tokens, or vectors of words.
        token_mask: True at a word.

    Example:
        >>> tokens = torch.tensor([[0, 7, 0, 9]])
        >>> pad_right(tokens, tokens != 0)[0]
        tensor([[7, 9, 0, 0]])
    """
    places = torch.arange(token_mask.shape[1], device=token_mask.device)
    order = torch.where(token_mask, places, places + _BEHIND).argsort(dim=1)  # no two are equal
    index = order.view(*order.shape, *[1] * (values.ndim - 2)).expand_as(values)
    return values.gather(1, index), token_mask.gather(1, order)


def pad_left(
    tokens: Int64[Tensor, " expressions words"],
    token_mask: Bool[Tensor, " expressions words"],
    steps: int,
) -> tuple[Int64[Tensor, " expressions steps"], Bool[Tensor, " expressions steps"]]:
    """Fill sentences up with id 0 on their left, as the papers' code pads them.

    Padding after the last word moves to the left; padding between words stays. A sentence that
    starts with padding has the papers' form already, and ends where it ends.

    Args:
        tokens: padded on either side.
        token_mask: True at a word.
        steps: length of the result, at least that of every sentence.

    Example:
        >>> tokens = torch.tensor([[0, 7, 0], [8, 9, 0]])
        >>> pad_left(tokens, tokens != 0, steps=4)[0]
        tensor([[0, 0, 7, 0],
                [0, 0, 8, 9]])
    """
    width = tokens.shape[1]
    places = torch.arange(width, device=tokens.device)
    ends = torch.where(token_mask, places + 1, 0).amax(1, keepdim=True)
    ends = ends.masked_fill(~token_mask[:, :1], width)
    index = torch.arange(steps, device=tokens.device) - steps + ends
    known = index.clamp(0, width - 1)
    read = token_mask.gather(1, known) & (index >= 0)
    return tokens.gather(1, known).masked_fill(~read, 0), read
