"""The projector of CRIS against the numbers of its own code."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.decoders import TextKernelDecoder
from refseg.models.original.cris import cris_state
from refseg.types import GRID_LOGITS, TextFeatures

from ...parity import assert_close_in_scale, read, under


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's weights by our names; its inputs have none."""
    own = {f"proj.{name}": weight for name, weight in weights.items() if not name.startswith("in/")}
    return {name.removeprefix("decoder."): weight for name, weight in cris_state(own).items()}


def text_of(sentence: Tensor) -> TextFeatures:
    words = torch.zeros(len(sentence), 1, 1)
    return TextFeatures(words, sentence, torch.ones(len(sentence), 1).bool())


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_logits_and_gradients_are_those_of_cris(mode: str, shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / "cris_projector.npz")
    decoder = TextKernelDecoder((16,), 1, 20).train(mode == "train")
    decoder.load_state_dict(renamed(under(fixture, "w/")))
    fused = fixture["in/x"].clone().requires_grad_()
    sentence = fixture["in/word"].clone().requires_grad_()
    output = decoder((fused,), text_of(sentence), (60, 48))
    logits = output.auxiliary[GRID_LOGITS][:, None]
    assert_close(logits, fixture[f"out/{mode}/pred"], atol=2e-5, rtol=1e-5)
    (fixture["in/r/pred"] * logits).sum().backward()
    assert_close_in_scale(fused.grad, fixture[f"grad/{mode}/in/x"])
    assert_close_in_scale(sentence.grad, fixture[f"grad/{mode}/in/word"])
    for name, expected in renamed(under(fixture, f"grad/{mode}/")).items():
        assert_close_in_scale(decoder.get_parameter(name).grad, expected)
    enlarged = functional.interpolate(logits, (60, 48), mode="bilinear")[:, 0]
    assert_close(output.logits, enlarged)
    if mode == "train":
        after = renamed(under(fixture, "after/"))
        assert_close({name: decoder.state_dict()[name] for name in after}, after)


def test_matrix_products_are_a_convolution_for_each_expression() -> None:
    """Torch's own, with a group for each: the same numbers on maps of any size."""
    torch.manual_seed(0)
    decoder = TextKernelDecoder((4,), 1, 5, hidden_dim=3).double()
    pixels = torch.randn(2, 3, 4, 7, dtype=torch.float64)
    sentence = torch.randn(2, 5, dtype=torch.float64)
    made = decoder.classifier(sentence)
    kernels, bias = made[:, :-1].unflatten(1, (3, 3, 3)), made[:, -1]
    expected = functional.conv2d(pixels.flatten(0, 1)[None], kernels, bias, padding=1, groups=2)
    assert_close(decoder.convolved(pixels, sentence), expected[0])


def test_another_sentence_gives_other_logits() -> None:
    decoder = TextKernelDecoder((4,), 1, 5).eval()
    fused = (torch.rand(1, 4, 3, 3).expand(2, -1, -1, -1),)
    one, other = decoder(fused, text_of(torch.randn(2, 5)), (12, 12)).logits
    assert (one - other).abs().max() > 1e-2
