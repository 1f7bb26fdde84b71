"""The decoder that doubles maps against DMN's own numbers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.decoders import UpsamplingDecoder
from refseg.types import TextFeatures

from ...parity import assert_close_in_scale, read, under

NO_TEXT = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1, dtype=torch.bool))
LAYERS = {"convs.0.1": "blocks.0.0", "convs.0.2": "blocks.0.1", "out_layer": "classifier"}
LAYERS |= {"convs.1.1": "blocks.1.0", "convs.1.2": "blocks.1.1"}


def renamed(original: dict[str, Tensor]) -> dict[str, Tensor]:
    pairs = ((*name.rpartition("."), weight) for name, weight in original.items())
    return {f"{LAYERS[layer]}.{kind}": weight for layer, _, kind, weight in pairs}


def test_logits_and_gradients(shared: Path) -> None:
    """The original is given the coarsest map of the backbone beside the fused one, of its size."""
    fixture, _ = read(shared / "parity" / "modern" / "dmn_upsampling.npz")
    maps = {name: fixture[f"in/{name}"].clone().requires_grad_() for name in ("f0", "f1", "x")}
    decoder = UpsamplingDecoder([each.shape[1] for each in maps.values()], 1, 1)
    decoder.load_state_dict(renamed(under(fixture, "w/")))
    expected = fixture["out/mask"][:, 0]
    logits = decoder(tuple(maps.values()), NO_TEXT, expected.shape[-2:]).logits
    assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    (logits * fixture["in/r/mask"][:, 0]).sum().backward()
    for name, expected in under(fixture, "grad/eval/in/").items():
        assert_close_in_scale(maps[name].grad, expected)
    weights = dict(decoder.named_parameters())
    gradients = under(fixture, "grad/eval/")
    for name, expected in renamed({n: g for n, g in gradients.items() if n[:3] != "in/"}).items():
        assert_close_in_scale(weights[name].grad, expected)


def test_by_hand() -> None:
    """A map of another size than twice the coarser one, and logits beyond the finest level."""
    torch.manual_seed(0)
    decoder = UpsamplingDecoder((3, 6), 1, 1, hidden_dim=4)
    fine, coarse = torch.randn(2, 3, 5, 7), torch.randn(2, 6, 3, 4)

    def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)

    beside = torch.cat([resized(coarse, (5, 7)), fine], dim=1)
    merged = decoder.blocks[0](resized(beside, (10, 14)))
    expected = resized(decoder.classifier(merged), (20, 28))[:, 0]
    assert_close(decoder((fine, coarse), NO_TEXT, (20, 28)).logits, expected)


@pytest.mark.parametrize(("hidden_dim", "widths"), [(512, [512, 256, 128]), (2, [2, 1, 1])])
def test_each_level_has_half_of_the_channels(hidden_dim: int, widths: list[int]) -> None:
    decoder = UpsamplingDecoder((3, 4, 5, 6), 1, 1, hidden_dim=hidden_dim)
    assert [block[0].out_channels for block in decoder.blocks] == widths
    assert [block[0].in_channels for block in decoder.blocks] == [11, 4 + widths[0], 3 + widths[1]]
