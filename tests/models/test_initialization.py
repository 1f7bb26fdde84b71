"""What is not taken from elsewhere starts as in the papers' code."""

from functools import partial

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from refseg.cli.configs.bases import read_yaml, with_bases
from refseg.cli.configs.files import PACKAGE_CONFIGS
from refseg.errors import ConfigError
from refseg.models import BilinearDecoder, Segmenter
from refseg.models.backbones import SmallBackbone
from refseg.models.backbones.base import Classifier
from refseg.models.fusion import ConcatFusion, MultimodalLSTM
from refseg.models.parameters import start_xavier
from refseg.models.text_encoders import LSTMEncoder


def bounds(fan_in: int, fan_out: int) -> float:
    return (6 / (fan_in + fan_out)) ** 0.5


def is_uniform(values: torch.Tensor, limit: float) -> bool:
    """Kolmogorov and Smirnov find nothing against it; and the bound is reached, not exceeded."""
    scaled = values.detach().flatten().numpy() / limit
    found = kstest(scaled, "uniform", args=(-1, 2))
    return abs(scaled).max() <= 1 and abs(scaled).max() > 0.98 and found.pvalue > 1e-3


def test_convolutions_start_as_tensorflows() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(20, 30, 3)
    start_xavier([layer.weight], [layer.bias])
    assert is_uniform(layer.weight, bounds(9 * 20, 9 * 30))
    torch.manual_seed(1)
    expected = nn.init.xavier_uniform_(torch.empty_like(layer.weight))
    assert is_uniform(expected, bounds(9 * 20, 9 * 30))
    assert layer.bias is not None
    assert not layer.bias.any()


def test_parts_of_a_convolution_start_as_the_whole() -> None:
    """The baseline's conv1 over [image, sentence, coordinates], which is three layers here."""
    torch.manual_seed(0)
    fusion = ConcatFusion(
        (24,), 1, 16, hidden_dim=50, layers=2, projection_dim=30, initialization="xavier"
    )
    for weight in (fusion.visual.image.weight, fusion.sentence.weight):
        assert is_uniform(weight, bounds(30 + 16 + 8, 50))
    assert is_uniform(fusion.visual.projection.weight, bounds(24, 30))
    assert is_uniform(fusion.further[0].weight, bounds(50, 50))
    for layer in (fusion.visual.image, fusion.visual.projection, fusion.further[0]):
        assert not layer.bias.any()
    classifier = BilinearDecoder((2000,), 1, 1, initialization="xavier").classifier
    assert is_uniform(classifier.weight, bounds(2000, 1))
    assert not classifier.bias.any()


def test_the_recipes_start_as_published() -> None:
    for name in ("rmi_r_refcoco", "lstm_d_referit"):
        path = PACKAGE_CONFIGS / "paper" / f"{name}.yaml"
        model = with_bases(read_yaml(path), path.parent)["model"]
        assert model["decoder"]["init_args"]["initialization"] == "xavier"
        fusion = model["fusion"]["init_args"]
        is_r, is_baseline = "_r_" in name, "lstm" in name
        assert fusion.get("projection_start") == ("classifier" if is_r else None)
        assert fusion.get("initialization") == ("xavier" if is_baseline else None)


def backbone(classes: int | None, *, filled: bool = True) -> SmallBackbone:
    """With a classifier, or filled from elsewhere without one."""
    made = SmallBackbone(width=8, image_dim=12, colour_dim=4)
    if classes:
        made.classifier = Classifier(torch.randn(classes, 12), torch.randn(classes))
    made.origin = {"origin": "file", "name": "x.pth"} if filled else made.origin
    return made


@pytest.mark.parametrize("kind", [MultimodalLSTM, ConcatFusion])
def test_a_projection_starts_as_the_classifier(kind: type) -> None:
    options = {"hidden_dim": 5, "projection_dim": 7}

    def make(made: SmallBackbone, **more: object) -> nn.Conv2d:
        segmenter = Segmenter(
            lambda: made,
            partial(LSTMEncoder, embedding_dim=4, hidden_dim=4),
            partial(kind, **options | more),
            BilinearDecoder,
            vocab_size=9,
        )
        assert segmenter.backbone.classifier is None
        return segmenter.fusion.visual.projection

    given = backbone(7)
    weight, bias = given.classifier or ()
    taken = make(given, projection_start="classifier")
    assert torch.equal(taken.weight[:, :, 0, 0], weight)
    assert torch.equal(taken.bias, bias)
    assert taken.weight.requires_grad
    images = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    (features,) = given.eval()(images)
    said = nn.functional.linear(features.permute(0, 2, 3, 1), weight, bias)
    torch.testing.assert_close(taken(features).permute(0, 2, 3, 1), said)
    assert not torch.equal(make(backbone(7)).weight[:, :, 0, 0], weight)
    make(backbone(None, filled=False), projection_start="classifier")  # as from a checkpoint
    for wrong in (backbone(None), backbone(6)):
        with pytest.raises(ConfigError, match=r"7 classes × 12 .*x\.pth.*got (none|one of 6)"):
            make(wrong, projection_start="classifier")
    with pytest.raises(ConfigError, match="set projection_dim"):
        make(backbone(7), projection_start="classifier", projection_dim=None)
