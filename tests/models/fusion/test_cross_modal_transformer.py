"""The vision-language decoder of CRIS against the numbers of its own code."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.fusion import CrossModalTransformer
from refseg.models.fusion.cross_modal_transformer import grid_positions, sine_positions
from refseg.models.original.cris import cris_state
from refseg.types import TextFeatures

from ...parity import Fixture, assert_close_in_scale, read, under


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's weights by our names; its inputs have none."""
    own = {f"decoder.{name}": w for name, w in weights.items() if not name.startswith("in/")}
    return {name.removeprefix("fusion."): weight for name, weight in cris_state(own).items()}


def decoder(fixture: Fixture, heads: int, feedforward_dim: int) -> CrossModalTransformer:
    """With the original's layers, and a neck that is not used."""
    dim = fixture["in/vis"].shape[1]
    fusion = CrossModalTransformer(
        (5,), dim, 6, dim, layers=2, heads=heads, feedforward_dim=feedforward_dim
    )
    missing, unexpected = fusion.load_state_dict(renamed(under(fixture, "w/")), strict=False)
    assert not unexpected
    assert all(name.startswith("neck.") for name in missing)
    return fusion.eval()


@pytest.mark.parametrize(("name", "heads", "inner"), [
    ("cris_decoder", 4, 48),
    ("cris_decoder_intermediate", 2, 24),
])  # fmt: skip
def test_layers(name: str, heads: int, inner: int, shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / f"{name}.npz")
    fusion = decoder(fixture, heads, inner)
    seen = fixture["in/vis"].clone().requires_grad_()
    words = fixture["in/txt"].clone().requires_grad_()
    token_mask = ~fixture["in/pad_mask"]
    results = ["out"] if name == "cris_decoder" else ["layer0", "layer1"]
    layers, total = fusion.layers, torch.tensor(0.0)
    for number, result in enumerate(results, start=len(layers) - len(results) + 1):
        fusion.layers = layers[:number]
        fused = fusion.attend(seen, words, token_mask).flatten(2)
        assert_close(fused, fixture[f"out/eval/{result}"], atol=1e-5, rtol=1e-5)
        total = total + (fixture[f"in/r/{result}"] * fused).sum()
    total.backward()
    assert_close_in_scale(seen.grad, fixture["grad/eval/in/vis"])
    assert_close_in_scale(words.grad, fixture["grad/eval/in/txt"])
    for weight, expected in renamed(under(fixture, "grad/eval/")).items():
        assert_close_in_scale(fusion.get_parameter(weight).grad, expected)


@pytest.mark.parametrize(("name", "size"), [
    ("cris_decoder", (5, 6)),
    ("cris_decoder_intermediate", (3, 4)),
])  # fmt: skip
def test_positions(name: str, size: tuple[int, int], shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / f"{name}.npz")
    of_words, of_cells = fixture["out/pos1d"][:, 0], fixture["out/pos2d"][:, 0]
    dim = of_words.shape[1]
    assert_close(sine_positions(dim, len(of_words)), of_words)
    assert_close(grid_positions(dim, *size).flatten(1).T, of_cells)


@pytest.mark.parametrize(("levels", "dims", "sizes"), [
    (1, (3, 4, 8), [(12, 16), (6, 8), (3, 4)]),
    (2, (3, 8), [(12, 16), (6, 8)]),
    (3, (8,), [(6, 8)]),
    (9, (8,), [(6, 8)]),
])  # fmt: skip
def test_maps_that_are_not_merged_pass_by(
    levels: int,
    dims: tuple[int, ...],
    sizes: list[tuple[int, int]],
    make_text: Callable[..., TextFeatures],
) -> None:
    fusion = CrossModalTransformer((3, 4, 5), 7, 5, 8, levels=levels, layers=1, heads=2).eval()
    assert fusion.dims == dims
    maps = tuple(
        torch.rand(2, dim, *size)
        for dim, size in zip((3, 4, 5), [(12, 16), (6, 8), (3, 4)], strict=True)
    )
    index = torch.tensor([1, 0, 1])
    fused = fusion(maps, make_text((2, 4, 1)), index)
    assert [(each.shape[1], tuple(each.shape[2:])) for each in fused] == [
        *zip(dims, sizes, strict=True)
    ]
    for passed, each in zip(fused[:-1], maps, strict=False):
        assert_close(passed, each[index])


def test_words_of_the_same_width_are_not_projected() -> None:
    """The original's are 512 wide like its cells."""
    assert not [*CrossModalTransformer((5,), 8, 6, 8, heads=2).words.parameters()]


def test_an_expression_without_words_is_answered(make_text: Callable[..., TextFeatures]) -> None:
    fusion = CrossModalTransformer((5,), 7, 5, 8, layers=1, heads=2).eval()
    text = make_text((3, 2))
    text.token_mask[1] = False
    (fused,) = fusion((torch.rand(1, 5, 3, 4),), text, torch.tensor([0, 0]))
    assert fused.isfinite().all()


@pytest.mark.parametrize(
    "wrong", [{"hidden_dim": 6}, {"hidden_dim": 12, "heads": 8}, {"levels": 0}]
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        CrossModalTransformer((5,), 7, 5, **{"hidden_dim": 8, "heads": 2, **wrong})
