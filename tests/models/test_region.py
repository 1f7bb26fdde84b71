"""The first stage of LSTM-CNN against the original's, and against the segmenter it becomes."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models import BilinearDecoder, RegionModel, Segmenter
from refseg.models.backbones import SmallBackbone, VGG16FullyConvolutional
from refseg.models.coordinates import box_coordinates, coordinates
from refseg.models.fusion import ConcatFusion, MultimodalLSTM
from refseg.models.original.pretrained import from_original
from refseg.models.text_encoders import LSTMEncoder

from ..parity import read, under
from .test_parity import PADDINGS, Padding, padded

AnyBackbone = partial[SmallBackbone | VGG16FullyConvolutional]


@pytest.mark.parametrize("padding", PADDINGS)
def test_scores_of_the_original(shared: Path, padding: Padding) -> None:
    fixture, _ = read(shared / "parity" / "hu_region_small.npz")
    width, height = fixture["in/imsize_wh"].tolist()
    places = box_coordinates(fixture["in/bbox"], width, height)
    assert torch.equal(places, fixture["out/spatial"])
    model = RegionModel(from_original("lstm_cnn", under(fixture, "w/")))
    tokens, token_mask = padded(fixture["in/words_TN"].T.contiguous(), padding)
    vectors = fixture["in/fc8"][:, :, None, None]
    scores = model.from_features(vectors, places.float(), tokens, token_mask, torch.arange(6))
    assert_close(scores, fixture["out/score"][:, 0], rtol=0, atol=1e-5)


def _segmenter(
    fusion: type, backbone: partial[SmallBackbone | VGG16FullyConvolutional]
) -> Segmenter:
    torch.manual_seed(0)
    text_encoder = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)
    return Segmenter(backbone, text_encoder, partial(fusion, hidden_dim=5), BilinearDecoder, 50)


@pytest.mark.parametrize(
    "backbone",
    [
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(VGG16FullyConvolutional, width=4, hidden_dim=8, image_dim=12),
    ],
)
def test_trains_the_parts_of_the_segmenter(
    backbone: AnyBackbone,
) -> None:
    segmenter = _segmenter(ConcatFusion, backbone)
    model = RegionModel(segmenter)
    crops = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    tokens = torch.randint(1, 50, (3, 4))
    scores = model(crops, torch.rand(2, 8), tokens, tokens > 0, torch.tensor([1, 0, 1]))
    assert scores.shape == (3,)
    (scores * torch.tensor([1.0, -2.0, 3.0])).sum().backward()
    for name, parameter in segmenter.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_an_image_of_one_cell_is_a_box() -> None:
    """Where coordinates agree, box and segmenter do."""
    segmenter = _segmenter(ConcatFusion, partial(SmallBackbone, 8, 12, colour_dim=4))
    vectors, tokens = torch.randn(1, 12, 1, 1), torch.randint(1, 50, (1, 4))
    arguments = (tokens, tokens > 0, torch.tensor([0]))
    expected = segmenter.from_features(vectors, *arguments)[:, 0, 0]
    places = coordinates(1, 1)[None, :, 0, 0]
    assert_close(RegionModel(segmenter).from_features(vectors, places, *arguments), expected)


def test_other_fusions_are_refused() -> None:
    backbone = partial(SmallBackbone, 8, 12, colour_dim=4)
    with pytest.raises(ConfigError, match=r"ConcatFusion.*got one with a MultimodalLSTM"):
        RegionModel(_segmenter(MultimodalLSTM, backbone))
