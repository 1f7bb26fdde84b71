"""The fusion of LSTM-CNN against tiling, concatenating and convolving in so many words."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from refseg.models.coordinates import coordinates
from refseg.models.fusion import ConcatFusion
from refseg.types import TextFeatures

IMAGE_DIM, SENTENCE_DIM, HIDDEN_DIM, H, W = 6, 5, 4, 3, 7


def _random_fusion(**options: object) -> ConcatFusion:
    torch.manual_seed(0)
    fusion = ConcatFusion((IMAGE_DIM,), 2, SENTENCE_DIM, HIDDEN_DIM, **options)  # type: ignore[arg-type]
    for parameter in fusion.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return fusion


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_equals_tile_concatenate_convolve(
    make_text: Callable[..., TextFeatures], normalize: bool, layers: int
) -> None:
    fusion = _random_fusion(normalize=normalize, layers=layers)
    features, text = torch.randn(2, IMAGE_DIM, H, W), make_text((2, 4, 3))
    image_index = torch.tensor([1, 0, 0])

    image, sentence = features[image_index], text.sentence
    if normalize:
        image = image / image.square().sum(1, keepdim=True).sqrt()
        sentence = sentence / sentence.square().sum(1, keepdim=True).sqrt()
    tiled = sentence[:, :, None, None].expand(-1, -1, H, W)
    cells = coordinates(H, W).expand(3, -1, -1, -1)
    weights = [
        fusion.sentence.weight[:, :, None, None],
        fusion.visual.image.weight,
        fusion.visual.coordinates.weight,
    ]
    expected = functional.conv2d(
        torch.cat([tiled, image, cells], dim=1),
        torch.cat(weights, dim=1),
        fusion.visual.image.bias,
    ).relu()
    for layer in fusion.further:
        if isinstance(layer, nn.Conv2d):
            expected = functional.conv2d(expected, layer.weight, layer.bias).relu()

    assert_close(fusion((features,), text, image_index)[-1], expected, rtol=1e-5, atol=1e-5)
    assert sum(isinstance(layer, nn.Conv2d) for layer in fusion.further) == layers - 1


def test_what_the_words_leave_alone_is_computed_once_per_image(
    make_text: Callable[..., TextFeatures],
) -> None:
    fusion, features = _random_fusion(), torch.randn(1, IMAGE_DIM, H, W)
    for expressions in (1, 10):
        image_index = torch.zeros(expressions, dtype=torch.int64)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            fusion((features,), make_text([3] * expressions), image_index)
        once_per_image = 2 * H * W * (IMAGE_DIM + 8) * HIDDEN_DIM
        once_per_expression = 2 * SENTENCE_DIM * HIDDEN_DIM
        assert counter.get_total_flops() == once_per_image + expressions * once_per_expression
