"""The losses of ReLA against its own numbers, and by hand."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.losses import MinimapLoss, NoTargetLoss, WeightedLogisticLoss, WeightedSum
from refseg.losses.minimap import covered, sampled
from refseg.models.decoders import RegionDecoder
from refseg.types import MINIMAP, Output

from ..models.decoders.test_pixel_decoder import pixel_decoder_weights
from ..models.decoders.test_region import decoder_weights, text_of
from ..parity import read, under, unpacked
from .test_grid import batch_of


def test_loss_and_gradients_of_the_whole_head(shared: Path) -> None:
    """Pixel decoder, a hundred regions and all three losses, as ReLA's code adds them up."""
    fixture, facts = read(shared / "parity" / "modern" / "rela_head.npz")
    given = facts["arguments"]
    weights = under(fixture, "w/")
    original = under(weights, "predictor.")
    of_pixels = under(weights, "pixel_decoder.")
    maps = tuple(fixture[f"in/res{number}"].clone().requires_grad_() for number in (2, 3, 4, 5))
    decoder = RegionDecoder(
        [each.shape[1] for each in maps],
        given["word_dim"],
        1,
        hidden_dim=given["conv_dim"],
        mask_dim=given["mask_dim"],
        layers=given["layers"],
        heads=4,
        feedforward_dim=given["ffn"],
        pixel_layers=given["enc_layers"],
        pixel_feedforward_dim=len(of_pixels["transformer.encoder.layers.0.linear1.bias"]),
    )
    loaded = decoder_weights(original, given["layers"])
    loaded |= {
        f"pixel_decoder.{name}": weight
        for name, weight in pixel_decoder_weights(of_pixels, given["enc_layers"]).items()
    }
    decoder.load_state_dict(loaded)
    masks = unpacked(fixture["in/masks"], 96)
    assert torch.equal(~masks.flatten(1).any(1), fixture["in/empty"].bool())
    assert torch.equal(sampled(masks, 10, 10).flatten(1), fixture["out/minimap_target"].float())

    text = text_of(fixture)
    output = decoder(maps, text, (64, 96))
    minus, plus = fixture["out/pred_masks"].unbind(1)
    expected = functional.interpolate((plus - minus)[:, None], (64, 96), mode="bilinear")[:, 0]
    scale = expected.abs().max().item()
    assert_close(output.logits, expected, atol=1e-5 * scale, rtol=1e-5)
    minus, plus = fixture["out/nt_label"].unbind(1)
    assert_close(output.no_target, plus - minus, atol=1e-5, rtol=1e-5)
    loss = WeightedSum(
        [
            WeightedLogisticLoss(1.1, 0.9, reduction="weights"),
            MinimapLoss(target="sampled"),
            NoTargetLoss(),
        ],
        weights=[5.0, 0.5, 0.5],
    )
    total = loss(output, batch_of(masks))
    assert_close(total.double(), fixture["out/loss"], rtol=1e-6, atol=0)
    total.backward()
    expected_gradients = decoder_weights(
        {**original, **under(fixture, "grad/predictor.")}, given["layers"]
    )
    parameters = dict(decoder.named_parameters())
    for name in ("regions", "words.weight", "classifier.weight", "nothing.0.weight"):
        assert_close(parameters[name].grad, expected_gradients[name], atol=1e-4, rtol=1e-4)
    layer = "transformer.encoder.layers.0.self_attn.value_proj.weight"
    for ours, theirs in (
        ("layers.0.attention.value.weight", layer),
        ("pixels.weight", "mask_features.weight"),
    ):
        found = parameters[f"pixel_decoder.{ours}"].grad
        assert_close(found, fixture[f"grad/pixel_decoder.{theirs}"], atol=1e-4, rtol=1e-4)
    assert text.words.grad is not None
    assert_close(text.words.grad.transpose(1, 2), fixture["grad/in/lang"], atol=1e-5, rtol=1e-4)
    assert_close(maps[1].grad, fixture["grad/in/res3"], atol=1e-5, rtol=1e-4)


def test_a_small_object_is_covered_but_not_sampled() -> None:
    """A disc of half the area of a cell, whose centre lies between four cells."""
    y, x = torch.meshgrid(torch.arange(480), torch.arange(480), indexing="ij")
    disc = ((x - 239.5) ** 2 + (y - 239.5) ** 2 < 20**2)[None]
    assert not sampled(disc, 10, 10).any()
    shares = covered(disc, 10, 10)
    assert_close(shares.sum() * 48**2, disc.sum().float())
    assert shares.count_nonzero() == 4


def test_minimap_by_hand() -> None:
    """Two classes with weights, of shares: the cross-entropy of torch."""
    masks = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0)) > 0.5
    logits = torch.randn(3, 5, 5)
    output = Output(torch.zeros(3, 20, 30), auxiliary={MINIMAP: logits})
    shares = masks.view(3, 5, 4, 5, 6).float().mean((2, 4))
    both = torch.stack([torch.zeros_like(logits), logits], dim=1)
    logarithms = both.log_softmax(1)
    weighted = -(0.9 * (1 - shares) * logarithms[:, 0] + 1.1 * shares * logarithms[:, 1])
    expected = weighted.sum() / (0.9 * (1 - shares) + 1.1 * shares).sum()
    assert_close(MinimapLoss()(output, batch_of(masks)), expected)


def test_no_target_is_torchs_cross_entropy_of_two_classes() -> None:
    masks = torch.zeros(4, 6, 6, dtype=torch.bool)
    masks[1, 2, 2] = masks[3] = True
    said = torch.randn(4)
    output = Output(torch.zeros(4, 6, 6), said)
    both = torch.stack([torch.zeros(4), said], dim=1)
    expected = functional.cross_entropy(
        both, torch.tensor([1, 0, 1, 0]), weight=torch.tensor([0.9, 1.1])
    )
    assert_close(NoTargetLoss()(output, batch_of(masks)), expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(MinimapLoss(), "with a minimap"), (NoTargetLoss(), "says whether anything is meant")],
)
def test_a_network_without(loss: torch.nn.Module, expected: str) -> None:
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    with pytest.raises(ConfigError, match=f"{expected}.*RegionDecoder"):
        loss(Output(torch.zeros(1, 4, 4)), batch_of(masks))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_finite(dtype: torch.dtype) -> None:
    masks = torch.ones(2, 4, 4, dtype=torch.bool)
    low = torch.full((2, 2, 2), -3e4).to(dtype)
    output = Output(torch.zeros(2, 4, 4), low[:, 0, 0], {MINIMAP: low})
    for loss in (MinimapLoss(), NoTargetLoss()):
        value = loss(output, batch_of(masks))
        assert value.dtype == torch.float32
        assert value.isfinite()
