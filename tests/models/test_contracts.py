"""What every variant of a part promises, checked for all of them.

A new variant takes one line in `variants.py`.
"""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from refseg.models.backbones import Backbone
from refseg.models.contracts import backbone as of_backbones
from refseg.models.contracts import decoder as of_decoders
from refseg.models.contracts import fusion as of_fusions
from refseg.models.contracts import network as of_networks
from refseg.models.contracts import text_encoder as of_text_encoders
from refseg.models.contracts.parts import built_decoder, built_fusion, built_network
from refseg.models.contracts.requirements import Check, sentence
from refseg.models.contracts.samples import VOCAB_SIZE, make_text
from refseg.models.decoders import Decoder
from refseg.models.fusion import Fusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import TextEncoder

from .variants import (
    BACKBONES,
    DECODERS,
    EARLY,
    FUSIONS,
    LOOK_AROUND,
    NETWORKS,
    OF_SEVERAL_MAPS,
    TEXT_ENCODERS,
)


@pytest.fixture(scope="module", params=BACKBONES)
def built_backbone(request: pytest.FixtureRequest, transformers_models: Path) -> Backbone:
    torch.manual_seed(0)
    return BACKBONES[request.param](transformers_models)()


@pytest.fixture
def backbone(built_backbone: Backbone) -> Backbone:
    return deepcopy(built_backbone)


@pytest.fixture(scope="module", params=TEXT_ENCODERS)
def built_text_encoder(request: pytest.FixtureRequest, transformers_models: Path) -> TextEncoder:
    torch.manual_seed(0)
    return TEXT_ENCODERS[request.param](transformers_models)(VOCAB_SIZE)


@pytest.fixture
def text_encoder(built_text_encoder: TextEncoder) -> TextEncoder:
    return deepcopy(built_text_encoder)


@pytest.fixture(params=FUSIONS)
def fusion(request: pytest.FixtureRequest) -> Fusion:
    torch.manual_seed(0)
    return built_fusion(FUSIONS[request.param])


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    return built_decoder(DECODERS[request.param])


@pytest.fixture(scope="module", params=NETWORKS)
def built_segmenter(request: pytest.FixtureRequest, transformers_models: Path) -> Segmenter:
    torch.manual_seed(0)
    image, text, fusion, decoder = NETWORKS[request.param]
    parts = (
        BACKBONES[image](transformers_models),
        TEXT_ENCODERS[text](transformers_models),
        {**FUSIONS, **EARLY}[fusion],
        {**DECODERS, **OF_SEVERAL_MAPS}[decoder],
    )
    return built_network(lambda: Segmenter(*parts, VOCAB_SIZE))


@pytest.fixture
def segmenter(built_segmenter: Segmenter) -> Segmenter:
    return deepcopy(built_segmenter)


@pytest.mark.parametrize("check", of_backbones.CHECKS, ids=sentence)
def test_backbones(check: Check, backbone: Backbone) -> None:
    check(backbone)


@pytest.mark.parametrize("check", of_text_encoders.CHECKS, ids=sentence)
def test_text_encoders(check: Check, text_encoder: TextEncoder) -> None:
    check(text_encoder)


@pytest.mark.parametrize("check", of_fusions.CHECKS, ids=sentence)
def test_fusions(check: Check, fusion: Fusion) -> None:
    check(fusion)


@pytest.mark.parametrize("check", of_decoders.CHECKS, ids=sentence)
def test_decoders(check: Check, decoder: Decoder) -> None:
    check(decoder)


# Of the five precisions, these two tell little beside the others, and take longer.
_RARE = ("16-mixed", "64-true")


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, marks=pytest.mark.slow) if check.__name__.endswith(_RARE) else check
        for check in of_networks.CHECKS
    ],
    ids=sentence,
)
def test_networks(check: Check, segmenter: Segmenter) -> None:
    check(segmenter)


def test_most_decoders_look_at_each_cell_alone(decoder: Decoder) -> None:
    if isinstance(decoder, LOOK_AROUND):
        return
    fused, text = torch.randn(3, of_decoders.DIM, 3, 4), make_text((2, 4, 1))
    apart = [
        decoder.eval().cell_logits((fused[:, :, [i]][..., [j]],), text)
        for i in range(3)
        for j in range(4)
    ]
    together = decoder.cell_logits((fused,), text)
    assert_close(together, torch.cat(apart, dim=2).view(3, 3, 4))
