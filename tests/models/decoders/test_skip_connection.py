"""The decoder of skip connections against LAVT's own numbers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.losses import WeightedLogisticLoss
from refseg.models.decoders import SkipConnectionDecoder
from refseg.types import TextFeatures

from ...parity import Fixture, read, under

NO_TEXT = TextFeatures(torch.zeros(3, 1, 1), torch.zeros(3, 1), torch.ones(3, 1, dtype=torch.bool))
# Ours -> the original's: three blocks of two convolutions, numbered by the stage they come from.
LAYERS = {
    f"blocks.{block}.{half}.{ours}": f"{theirs}{half + 1}_{4 - block}"
    for block in range(3)
    for half in range(2)
    for ours, theirs in {0: "conv", 1: "bn"}.items()
}
LOSS = WeightedLogisticLoss(1.1, 0.9, reduction="weights")


def weights_of(original: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's weights; of its two classes, the difference."""
    found = {}
    for ours, theirs in LAYERS.items():
        found |= {f"{ours}.{kind}": w for kind, w in under(original, f"{theirs}.").items()}
    for kind, weight in under(original, "conv1_1.").items():
        found[f"classifier.{kind}"] = weight[1:] - weight[:1]
    return found


def decoder_of(fixture: Fixture) -> tuple[SkipConnectionDecoder, tuple[Tensor, ...]]:
    maps = tuple(fixture[f"in/x_c{stage}"] for stage in (1, 2, 3, 4))
    decoder = SkipConnectionDecoder([each.shape[1] for each in maps], 1, 1)
    decoder.load_state_dict(weights_of(under(fixture, "w/")))
    return decoder, maps


@pytest.fixture
def fixture(shared: Path) -> Fixture:
    return read(shared / "parity" / "modern" / "lavt_decoder.npz")[0]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_logits_and_loss(mode: str, fixture: Fixture) -> None:
    decoder, maps = decoder_of(fixture)
    size = fixture["in/target"].shape[-2], fixture["in/target"].shape[-1]
    logits = decoder.train(mode == "train")(maps, NO_TEXT, size).logits
    background, foreground = fixture[f"out/{mode}/scores"].unbind(1)
    assert_close(logits, foreground - background, atol=1e-5, rtol=1e-5)
    loss = LOSS.of_masks(logits, fixture["in/target"] > 0)
    assert_close(loss.double(), fixture[f"out/{mode}/loss"], atol=0, rtol=1e-6)


def test_gradients_and_running_statistics(fixture: Fixture) -> None:
    decoder, maps = decoder_of(fixture)
    size = fixture["in/target"].shape[-2], fixture["in/target"].shape[-1]
    LOSS.of_masks(decoder.train()(maps, NO_TEXT, size).logits, fixture["in/target"] > 0).backward()
    expected = weights_of(under(fixture, "grad/"))
    for name, parameter in decoder.named_parameters():
        if name.startswith("classifier"):  # ours moves one class's weights, theirs both
            expected[name] = expected[name] / 2
        assert_close(parameter.grad, expected[name], atol=1e-4, rtol=1e-4)
    after = {
        f"{ours}.{kind}": value
        for ours, theirs in LAYERS.items()
        for kind, value in under(fixture, f"after/{theirs}.").items()
    }
    assert len(after) == 18
    state = decoder.state_dict()
    for name, value in after.items():
        assert_close(state[name], value, atol=1e-5, rtol=1e-5)


def test_the_corners_of_maps_lie_on_each_other() -> None:
    decoder = SkipConnectionDecoder((4,), 1, 1).eval()
    fused = torch.randn(3, 4, 3, 5)
    logits = decoder((fused,), NO_TEXT, (9, 17)).logits
    assert_close(logits[:, ::4, ::4], decoder.cell_logits((fused,), NO_TEXT))


def test_by_hand() -> None:
    torch.manual_seed(0)
    decoder = SkipConnectionDecoder((2, 6), 1, 1).eval()
    fine, coarse = torch.randn(3, 2, 6, 8), torch.randn(3, 6, 3, 4)
    enlarged = functional.interpolate(coarse, (6, 8), mode="bilinear", align_corners=True)
    merged = decoder.blocks[0](torch.cat([enlarged, fine], 1))
    assert merged.shape[1] == 3  # half of the coarsest map's
    cells = decoder.classifier(merged)
    expected = functional.interpolate(cells, (12, 16), mode="bilinear", align_corners=True)
    assert_close(decoder((fine, coarse), NO_TEXT, (12, 16)).logits, expected[:, 0])
