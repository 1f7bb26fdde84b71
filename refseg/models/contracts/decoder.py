"""What a decoder promises: from maps to logits."""

import torch

from refseg.models.contracts.requirements import require, require_gradient
from refseg.models.contracts.samples import make_text
from refseg.models.decoders.base import Decoder
from refseg.types import Maps

DIM = 6
"""Channels of the map that is decoded."""

_LENGTHS = (2, 4, 1)


def _maps() -> Maps:
    return (torch.randn(3, DIM, 3, 4),)


def the_size_is_as_asked(decoder: Decoder) -> None:
    """Also where it is no multiple of the map's."""
    for size in ((12, 16), (11, 30)):
        found = [*decoder(_maps(), make_text(_LENGTHS), size).logits.shape]
        require(found == [3, *size], f"expected logits of {[3, *size]}, got {found}")


def cells_have_one_logit_each(decoder: Decoder) -> None:
    """As LSTM-CNN's first stage trains on them."""
    found = [*decoder.eval().cell_logits(_maps(), make_text(_LENGTHS)).shape]
    require(found == [3, 3, 4], f"expected `cell_logits` of [3, 3, 4], got {found}")


def gradients_reach_every_trained_parameter(decoder: Decoder) -> None:
    """And the map, of each expression."""
    maps = tuple(each.requires_grad_() for each in _maps())
    output = decoder(maps, make_text(_LENGTHS), (12, 16))
    said = output.logits if output.no_target is None else output.no_target
    (output.logits.square().sum() + said.square().sum()).backward()
    require_gradient(decoder)
    for each in maps:
        is_heard = each.grad is not None and each.grad.flatten(1).any(1).all()
        require(is_heard, "no gradient reaches the map, or that of some expression")


def a_decoder_that_hears_the_text_says_so(decoder: Decoder) -> None:
    """Where words are read one by one, it is then given those that have been read."""
    maps, size = _maps(), (12, 16)
    decoder.eval()
    one, other = (decoder(maps, make_text(_LENGTHS, seed=seed), size).logits for seed in (0, 1))
    require(
        decoder.listens or torch.equal(one, other),
        "the logits depend on the text; set `listens = True` in the class",
    )


CHECKS = (
    the_size_is_as_asked,
    cells_have_one_logit_each,
    gradients_reach_every_trained_parameter,
    a_decoder_that_hears_the_text_says_so,
)
