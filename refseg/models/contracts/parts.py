"""Classes of parts, put to all the checks of their kind, alone and in a small network."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from refseg.models.backbones.small import SmallBackbone
from refseg.models.contracts import backbone as of_backbones
from refseg.models.contracts import decoder as of_decoders
from refseg.models.contracts import fusion as of_fusions
from refseg.models.contracts import network as of_networks
from refseg.models.contracts import text_encoder as of_text_encoders
from refseg.models.contracts.requirements import Check, broken
from refseg.models.contracts.samples import DIMS, SENTENCE_DIM, VOCAB_SIZE, WORD_DIM
from refseg.models.decoders.base import Decoder
from refseg.models.decoders.bilinear import BilinearDecoder
from refseg.models.fusion.base import Fusion
from refseg.models.fusion.concat import ConcatFusion
from refseg.models.segmenter import (
    BackboneFactory,
    DecoderFactory,
    FusionFactory,
    Segmenter,
    TextEncoderFactory,
)
from refseg.models.text_encoders.lstm import LSTMEncoder

SMALL: BackboneFactory = partial(SmallBackbone, width=8, image_dim=12, colour_dim=4)
"""Its four stages give 4, 8, 16 and 16 channels."""

_LSTM: TextEncoderFactory = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)
_CONCAT: FusionFactory = partial(ConcatFusion, hidden_dim=6)


def check_backbone(make: BackboneFactory) -> None:
    """See that a backbone keeps what every backbone promises, alone and in a network.

    Args:
        make: the class, or a `functools.partial` of it.

    Raises:
        AssertionError: it does not; the message lists all promises that are broken.
    """
    _check(make, of_backbones.CHECKS)
    _check_in_network("backbone", backbone=make)


def check_text_encoder(make: TextEncoderFactory) -> None:
    """See that a text encoder keeps what every text encoder promises, alone and in a network.

    Args:
        make: the class, or a `functools.partial` of it; it is given a `vocab_size` of 50.

    Raises:
        AssertionError: as `check_backbone`.
    """
    _check(lambda: make(VOCAB_SIZE), of_text_encoders.CHECKS)
    _check_in_network("text_encoder", text_encoder=make)


def check_fusion(make: FusionFactory, backbone: BackboneFactory | None = None) -> None:
    """See that a fusion keeps what every fusion promises, alone and in a network.

    Args:
        make: the class, or a `functools.partial` of it.
        backbone: of the network, for a fusion that speaks between its stages, or that needs its
            maps: such a fusion is checked there only. By default it is a `SmallBackbone` whose four
            stages have 4, 8, 16 and 16 channels, and a fusion without `sites` is first checked on
            two maps of 8 and 9 channels.

    Raises:
        AssertionError: as `check_backbone`.
    """
    if backbone is None and not make(DIMS, WORD_DIM, SENTENCE_DIM).sites:
        _check(lambda: built_fusion(make), of_fusions.CHECKS)
    _check_in_network("fusion", backbone=backbone or SMALL, fusion=make)


def check_decoder(make: DecoderFactory, backbone: BackboneFactory | None = None) -> None:
    """See that a decoder keeps what every decoder promises, alone and in a network.

    Args:
        make: the class, or a `functools.partial` of it.
        backbone: of the network, for a decoder that needs its maps: such a decoder is checked there
            only. By default it is first checked on one map.

    Raises:
        AssertionError: as `check_backbone`.
    """
    if backbone is None:
        _check(lambda: built_decoder(make), of_decoders.CHECKS)
    _check_in_network("decoder", backbone=backbone or SMALL, decoder=make)


def check_network(make: Callable[[], Segmenter]) -> None:
    """See that a whole network keeps what every network promises.

    Args:
        make: makes it, for 50 words.

    Raises:
        AssertionError: as `check_backbone`.
    """
    _check(lambda: built_network(make), of_networks.CHECKS)


def built_fusion(make: FusionFactory) -> Fusion:
    """A fusion for the checks of fusions."""
    fusion = make(DIMS, WORD_DIM, SENTENCE_DIM)
    # In training, statistics of the batch are meant to mix its expressions.
    mixes = any(isinstance(each, _BatchNorm) for each in fusion.modules())
    return fusion.eval() if mixes else fusion


def built_decoder(make: DecoderFactory) -> Decoder:
    """A decoder for the checks of decoders."""
    decoder = make((of_decoders.DIM,), WORD_DIM, SENTENCE_DIM)
    for parameter in decoder.parameters():  # what starts at 0 hides what follows
        if parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return decoder


def built_network(make: Callable[[], Segmenter]) -> Segmenter:
    """A network for the checks of networks."""
    network = make()
    # Fresh heads are nearly constant; trained ones are not.
    weight = getattr(getattr(network.decoder, "classifier", None), "weight", None)
    if weight is not None:
        nn.init.normal_(weight)
    return network


def _check_in_network(
    part: str,
    backbone: BackboneFactory = SMALL,
    text_encoder: TextEncoderFactory = _LSTM,
    fusion: FusionFactory = _CONCAT,
    decoder: DecoderFactory = BilinearDecoder,
) -> None:
    """Check a network that has small parts but for one, which the message names."""
    parts = backbone, text_encoder, fusion, decoder
    torch.manual_seed(0)
    network = built_network(lambda: Segmenter(*parts, VOCAB_SIZE))
    name = type(getattr(network, part)).__name__
    _require(broken(of_networks.CHECKS, network), f"A network with {name}", of_networks.CHECKS)


def _check(make: Callable[[], nn.Module], checks: Sequence[Check]) -> None:
    torch.manual_seed(0)
    part = make()
    _require(broken(checks, part), type(part).__name__, checks)


def _require(found: Sequence[str], name: str, checks: Sequence[Check]) -> None:
    if found:
        listed = "\n".join(f"- {promise}" for promise in found)
        raise AssertionError(f"{name} breaks {len(found)} of {len(checks)} promises:\n{listed}")
