"""The papers' heads: inputs, weights and outputs of the original TensorFlow graphs."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.losses import WeightedLogisticLoss
from refseg.models.decoders import DeconvolutionDecoder, bilinear_filter, legacy_upsample
from refseg.models.fusion import MultimodalLSTM
from refseg.models.fusion.mlstm import unsquash
from refseg.models.original.pretrained import from_original
from refseg.models.segmenter import Segmenter
from refseg.types import TextFeatures

from ..parity import Fixture, read, under, unpacked_flat

Padding = Literal["left", "right", "more"]
PADDINGS: tuple[Padding, ...] = ("left", "right", "more")


def padded(words: Tensor, padding: Padding) -> tuple[Tensor, Tensor]:
    """The papers' words, with their padding as it stands, on the right, or with more of it.

    On the right, each row's padding on the left is moved; padding between words stays.
    """
    tokens = words.long()
    if padding != "left":
        starts = (tokens != 0).long().argmax(1)
        places = (torch.arange(tokens.shape[1]) + starts[:, None]) % tokens.shape[1]
        tokens = tokens.gather(1, places)
    if padding == "more":
        tokens = torch.nn.functional.pad(tokens, (0, 7))
    return tokens, tokens != 0


def channels_first(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def grid_logits(segmenter: Segmenter, features: Tensor, words: Tensor, padding: Padding) -> Tensor:
    tokens, token_mask = padded(words, padding)
    return segmenter.from_features(
        channels_first(features), tokens, token_mask, torch.arange(len(tokens))
    )


@pytest.fixture(scope="module")
def rmi(shared: Path) -> Fixture:
    return read(shared / "parity" / "rmi_small_resnet_square.npz")[0]


@pytest.mark.parametrize("padding", PADDINGS)
def test_rmi(rmi: Fixture, padding: Padding) -> None:
    """Seven sentences: of 1 to 20 words, without any, and with a pad in between."""
    segmenter = from_original("rmi", under(rmi, "w/"))
    logits = grid_logits(segmenter, rmi["in/feat"], rmi["in/words"], padding)
    assert_close(logits, rmi["out/pred"][..., 0], rtol=0, atol=1e-5)
    enlarged = legacy_upsample(logits[:, None], (80, 80))[:, 0]
    assert_close(enlarged, rmi["out/up"][..., 0], rtol=0, atol=1e-5)
    assert_close(enlarged.sigmoid(), rmi["out/sigm"][..., 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("at_once", [None, 3])
def test_states_of_rmi(rmi: Fixture, at_once: int | None) -> None:
    segmenter = from_original("rmi", under(rmi, "w/"))
    fusion = segmenter.fusion
    assert isinstance(fusion, MultimodalLSTM)
    text = segmenter.text_encoder(*padded(rmi["in/words"], "left"))
    with torch.no_grad():
        *_, last = fusion.steps((channels_first(rmi["in/feat"]),), text, torch.arange(7))
    shown = legacy_upsample(last.activation[:, None], (80, 80))[:, 0]
    assert_close(shown, rmi["out/mult_state"], rtol=0, atol=1e-5)
    fusion.output, fusion.expressions_at_once = "state", at_once
    with torch.no_grad():
        (state,) = fusion((channels_first(rmi["in/feat"]),), text, torch.arange(7))
    assert_close(text.sentence, rmi["out/state_w"][:, 20:], rtol=0, atol=1e-5)
    expected = rmi["out/state_a"][..., 16:].transpose(1, 2).reshape(state.shape)
    assert_close(state, expected, rtol=0, atol=1e-5)
    activation = legacy_upsample(unsquash(state), (80, 80)).mean(1)
    assert_close(activation, rmi["out/mult_state"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("padding", PADDINGS)
def test_lstm_baseline_of_rmi(shared: Path, padding: Padding) -> None:
    fixture, _ = read(shared / "parity" / "lstm_small_deeplab_rect.npz")
    segmenter = from_original("rmi_lstm", under(fixture, "w/"))
    logits = grid_logits(segmenter, fixture["in/feat"], fixture["in/words"], padding)
    text = segmenter.text_encoder(*padded(fixture["in/words"], padding))
    assert_close(text.sentence, fixture["out/h_w"], rtol=0, atol=1e-5)
    assert_close(text.sentence, fixture["out/state_w"][:, 20:], rtol=0, atol=1e-5)
    assert_close(logits, fixture["out/pred"][..., 0], rtol=0, atol=1e-5)
    enlarged = legacy_upsample(logits[:, None], (48, 88))[:, 0]
    assert_close(enlarged, fixture["out/up"][..., 0], rtol=0, atol=1e-5)
    assert_close(enlarged.sigmoid(), fixture["out/sigm"][..., 0], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def hu(shared: Path) -> Fixture:
    return read(shared / "parity" / "hu_small.npz")[0]


@pytest.mark.parametrize("padding", PADDINGS)
def test_lstm_cnn_of_hu(hu: Fixture, padding: Padding) -> None:
    """It reads its padding, a word like any other; the last sentence is nothing else."""
    segmenter = from_original("lstm_cnn", under(hu, "w/"))
    words = hu["in/words_TN"].T.contiguous()
    text = segmenter.text_encoder(*padded(words, padding))
    assert_close(text.sentence, hu["out/lang"], rtol=0, atol=1e-5)
    assert text.sentence[-1].any()
    logits = grid_logits(segmenter, hu["in/fc8"], words, padding)
    assert_close(logits, hu["out/score_lowres"][..., 0], rtol=0, atol=1e-5)


def test_high_resolution_head_of_hu(hu: Fixture) -> None:
    scores = hu["out/score_lowres"][..., 0]
    random = from_original("lstm_cnn", under(hu, "w/")).decoder
    low_resolution = under(hu, "w/")
    del low_resolution["classifier/upsample32s/weights"]
    bilinear = from_original("lstm_cnn", low_resolution).decoder
    for decoder, expected in [
        (random, hu["out/up_random_filter_0to2"]),
        (bilinear, hu["out/up_bilinear_0to3"]),
    ]:
        assert isinstance(decoder, DeconvolutionDecoder)
        enlarged = decoder.upsample(scores)[: len(expected)]
        assert_close(enlarged, expected[..., 0], rtol=0, atol=1e-5)


def test_losses_of_hu(hu: Fixture) -> None:
    scores = hu["out/score_lowres"][..., 0]
    labels = hu["in/label_lo"][..., 0] > 0
    fine = unpacked_flat(hu["in/label_hi_packed"], hu["in/label_hi_shape"].tolist())[..., 0]
    segmenter = from_original("lstm_cnn", under(hu, "w/"))
    assert isinstance(segmenter.decoder, DeconvolutionDecoder)
    with torch.no_grad():
        segmenter.decoder.upsampling.weight.copy_(bilinear_filter(32))
        enlarged = segmenter.decoder.upsample(scores)
    for name, logits, truth, weights in [
        ("lo_1_1", scores, labels, (1.0, 1.0)),
        ("lo_3_half", scores, labels, (3.0, 0.5)),
        ("hi_bilinear_1_third", enlarged, fine, (1.0, 1 / 3)),
    ]:
        loss = WeightedLogisticLoss(*weights).of_masks(logits, truth)
        assert_close(loss, hu[f"out/loss_{name}"], rtol=1e-5, atol=0)
    right = (scores >= 0) == labels
    accuracies = [right.double().mean(), right[labels].double().mean()]
    accuracies.append(right[~labels].double().mean())
    assert_close(torch.stack(accuracies), hu["out/accuracy_lo"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("stride", [2, 8, 32])
def test_bilinear_filter(shared: Path, stride: int) -> None:
    fixture, _ = read(shared / "parity" / "spatial.npz")
    expected = fixture[f"bilinear_filter_{stride}"][..., 0, 0]
    assert torch.equal(bilinear_filter(stride), expected)


NO_TEXT = TextFeatures(torch.zeros(1, 1, 1), torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool))


def test_deconvolution_of_any_stride_keeps_a_constant_inside() -> None:
    for stride in (2, 3, 4):
        decoder, text = DeconvolutionDecoder((2,), 1, 1, stride), NO_TEXT
        with torch.no_grad():
            logits = decoder((torch.ones(1, 2, 5, 6),), text, (5 * stride, 6 * stride)).logits
            inside = logits[0, stride:-stride, stride:-stride]
            cell = decoder.cell_logits((torch.ones(1, 2, 1, 1),), text)[0]
            assert_close(inside, cell.expand_as(inside))


def test_names_of_tensorflow_0_12(shared: Path) -> None:
    """The same weights under their older names; and what an optimiser left is ignored."""
    old, _ = read(shared / "parity" / "hu_train_lowres_tf012.npz")
    new, _ = read(shared / "parity" / "hu_train_lowres.npz")
    weights = under(old, "w/")
    assert any(name.endswith("Linear/Matrix") for name in weights)
    noise = {f"{name}/Momentum": value + 1 for name, value in weights.items()}
    older = from_original("lstm_cnn", weights | noise | {"Variable": torch.tensor(3)})
    newer = from_original("lstm_cnn", {f"{n}:0": v.numpy() for n, v in under(new, "w/").items()})
    for name, weight in newer.state_dict().items():
        assert torch.equal(weight, older.state_dict()[name]), name
