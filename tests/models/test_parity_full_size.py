"""The papers' heads in full size, with weights that are drawn by a recipe instead of stored."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from torch.testing import assert_close

from refseg.losses import WeightedLogisticLoss, subsampled
from refseg.models.decoders import DeconvolutionDecoder, bilinear_filter, legacy_upsample
from refseg.models.original.kinds import translate
from refseg.models.original.pretrained import from_original

from ..parity import drawn, read, unpacked_flat
from .test_parity import channels_first, padded

pytestmark = pytest.mark.slow  # a minute each: they draw tens of millions of random numbers

# Where each variable goes: the gradient of a kernel is that of all its parts.
KERNELS = {
    "WLSTM": ("text_encoder.lstm.weight_ih_l0", "text_encoder.lstm.weight_hh_l0"),
    "RNN": ("text_encoder.lstm.weight_ih_l0", "text_encoder.lstm.weight_hh_l0"),
    "ALSTM": (
        "fusion.visual.image.weight",
        "fusion.visual.coordinates.weight",
        "fusion.word.weight",
        "fusion.recurrent.weight",
    ),
    "conv1": (
        "fusion.visual.image.weight",
        "fusion.visual.coordinates.weight",
        "fusion.sentence.weight",
    ),
    "projection": ("fusion.visual.projection.weight",),
    "conv2": ("decoder.classifier.weight",),
    "embedding": ("text_encoder.embedding.weight",),
}
BIASES = {
    "WLSTM": "text_encoder.lstm.bias_ih_l0",
    "RNN": "text_encoder.lstm.bias_ih_l0",
    "ALSTM": "fusion.visual.image.bias",
    "conv1": "fusion.visual.image.bias",
    "projection": "fusion.visual.projection.bias",
    "conv2": "decoder.classifier.bias",
}


def parameters_of(variable: str) -> tuple[str, ...]:
    """Our parameters that a variable of the original was split into."""
    scope = variable.replace("ResNet/fc1000", "projection").replace("conv0", "projection")
    key = next(key for key in ("ALSTM", "WLSTM", "RNN", *KERNELS) if key in scope)
    is_bias = variable.endswith(("bias", "biases"))
    return (BIASES[key],) if is_bias else KERNELS[key]


@pytest.mark.parametrize(
    ("name", "kind"), [("rmi_full_deeplab", "rmi"), ("lstm_full_resnet", "rmi_lstm")]
)
def test_rmi_and_its_baseline(shared: Path, name: str, kind: Literal["rmi", "rmi_lstm"]) -> None:
    fixture, facts = read(shared / "parity" / f"{name}.npz")
    variables = drawn(facts)
    features = channels_first(variables.pop("feat"))
    segmenter = from_original(kind, variables)
    assert segmenter.text_encoder.embedding.embedding_dim == 1000
    tokens, token_mask = padded(fixture["in/words"], "right")
    text = segmenter.text_encoder(tokens, token_mask)
    assert_close(text.sentence, fixture["out/state_w"][:, 1000:], rtol=0, atol=1e-4)

    index = torch.zeros(5, dtype=torch.int64)  # five sentences about one image
    with torch.no_grad():
        logits = segmenter.from_features(features, tokens, token_mask, index)
    assert_close(logits, fixture["out/pred"][..., 0], rtol=0, atol=1e-4)
    enlarged = legacy_upsample(logits[:1, None], (320, 320))[0, 0]
    assert_close(enlarged, fixture["out/up_0"][..., 0], rtol=0, atol=1e-4)

    mask = unpacked_flat(fixture["in/mask_packed"], [1, 320, 320])
    target = subsampled(mask, 8)
    assert torch.equal(target, unpacked_flat(fixture["out/target_packed"], [1, 40, 40]))
    row = [facts["grad_sentence"]]
    logits = segmenter.from_features(features, tokens[row], token_mask[row], index[:1])
    loss = WeightedLogisticLoss(reduction="sum").of_masks(logits, target)
    assert_close(loss.detach(), fixture["out/cls_loss"], rtol=1e-5, atol=0)
    loss.backward()
    gradients = {n: p.grad for n, p in segmenter.named_parameters() if p.grad is not None}
    for variable, expected in zip(facts["grad_vars"], fixture["out/grad_norms"], strict=True):
        parts = torch.cat([gradients[part].flatten() for part in parameters_of(variable)])
        assert_close(parts.double().norm(), expected, rtol=1e-4, atol=0)
    classifier = gradients["decoder.classifier.weight"].flatten()
    expected = fixture["grad_cls/text_objseg/conv2/DW"].flatten()
    assert (classifier - expected).norm() <= 1e-4 * expected.norm()
    decayed = [v.double() for n, v in variables.items() if n.endswith("/DW")]
    decay = 0.0005 * sum(weight.square().sum() / 2 for weight in decayed)
    # TensorFlow adds two million squares in float32.
    assert_close(decay.float(), fixture["out/reg_loss"], rtol=1e-4, atol=0)


def test_lstm_cnn(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "hu_full.npz")
    variables = drawn(facts)
    features = channels_first(variables.pop("fc8"))
    segmenter = from_original("lstm_cnn", variables)
    tokens, token_mask = padded(fixture["in/words_TN"].T.contiguous(), "right")
    with torch.no_grad():
        logits = segmenter.from_features(features, tokens, token_mask, torch.arange(3))
        assert_close(logits, fixture["out/score_lowres"][..., 0], rtol=0, atol=1e-4)
        assert isinstance(segmenter.decoder, DeconvolutionDecoder)
        random = segmenter.decoder.upsample(logits[1:2])[0]
        assert_close(random, fixture["out/up_random_filter_1"][..., 0], rtol=0, atol=1e-4)
        segmenter.decoder.upsampling.weight.copy_(bilinear_filter(32))
        bilinear = segmenter.decoder.upsample(logits[:1])[0]
    assert_close(bilinear, fixture["out/up_bilinear_0"][..., 0], rtol=0, atol=1e-4)


def test_defaults_are_the_papers_dimensions(shared: Path) -> None:
    """The names and shapes of all variables are those of the original's full models."""
    import json

    known = json.loads((shared / "parity" / "variables.json").read_text())
    for model, facts in known.items():
        kind = "rmi" if "RMI" in model else "rmi_lstm" if "LSTM" in model else "lstm_cnn"
        variables = {row[0]: torch.zeros(row[1]) for row in facts["variables"]}
        variables |= {name: v + 1 for name, v in variables.items() if name.endswith("factor")}
        translated = translate(kind, variables)
        assert translated.has_backbone
        for part, (_, arguments) in translated.parts.items():
            for argument, value in arguments.items():
                expected = {
                    "embedding_dim": 1000, "hidden_dim": 500, "projection_dim": 1000,
                    "image_dim": 1000, "stride": 32, "left_padding": 20,
                    "recurrent_bias": False, "grid": "legacy",
                }[argument]  # fmt: skip
                if (part, argument) in {("text_encoder", "hidden_dim")}:
                    expected = 1000
                if (part, argument) == ("backbone", "hidden_dim"):
                    expected = 4096
                assert value == expected, (part, argument)
        del variables, translated
