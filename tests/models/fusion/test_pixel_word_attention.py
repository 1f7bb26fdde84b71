"""Pixel-word attention and language gate against LAVT's own numbers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import SmallBackbone
from refseg.models.backbones.swin import SwinWalk
from refseg.models.fusion.pixel_word_attention import LanguageAwareFusion, PixelWordAttention
from refseg.models.original.swin import swin_state
from refseg.types import TextFeatures

from ...parity import Fixture, read, under

NAMES = {
    "query": "image_lang_att.f_query.0",
    "key": "image_lang_att.f_key.0",
    "value": "image_lang_att.f_value.0",
    "attended": "image_lang_att.W.0",
    "seen": "vis_project.0",
    "mixed": "project_mm.0",
}
# A constant that an instance normalisation or a softmax takes away: its gradient is rounding.
WITHOUT_EFFECT = {"query.bias", "key.bias", "value.bias", "attended.bias"}
HEADS = {"lavt_pwam_1head": 1, "lavt_pwam_4heads": 4, "lavt_pwam_faint": 1}


def weights_of(original: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """The original's one-dimensional convolutions as linear layers."""
    return {
        f"{prefix}{ours}.{kind}": original[f"{theirs}.{kind}"].flatten(1 if kind == "weight" else 0)
        for ours, theirs in NAMES.items()
        for kind in ("weight", "bias")
    }


def text_of(fixture: Fixture, words: Tensor | None = None) -> TextFeatures:
    words = fixture["in/l"].transpose(1, 2) if words is None else words
    return TextFeatures(words, words.new_zeros(len(words), 3), fixture["in/l_mask"][:, :, 0] > 0)


@pytest.mark.parametrize("name", HEADS)
def test_attention(name: str, shared: Path) -> None:
    fixture, _ = read(shared / "parity" / "modern" / f"{name}.npz")
    cells = fixture["in/x"].clone().requires_grad_()
    words = fixture["in/l"].transpose(1, 2).clone().requires_grad_()
    attention = PixelWordAttention(cells.shape[2], words.shape[2], HEADS[name])
    attention.load_state_dict(weights_of(under(fixture, "w/")))
    fused = attention(cells, words, fixture["in/l_mask"][:, :, 0] > 0)
    assert_close(fused, fixture["out/mm"], atol=1e-5, rtol=1e-5)
    (fixture["in/r/mm"] * fused).sum().backward()
    expected = weights_of(under(fixture, "grad/"))
    for parameter, value in attention.named_parameters():
        if parameter not in WITHOUT_EFFECT:
            assert_close(value.grad, expected[parameter], atol=1e-4, rtol=1e-4)
    assert_close(cells.grad, fixture["grad/in/x"], atol=1e-4, rtol=1e-4)
    assert words.grad is not None
    assert_close(words.grad.transpose(1, 2), fixture["grad/in/l"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "heads"), [("lavt_stage_padded", 1), ("lavt_stage_last", 2)])
def test_a_stage(name: str, heads: int, shared: Path) -> None:
    """From the map of its last block to what the decoder and the next stage are given."""
    fixture, _ = read(shared / "parity" / "modern" / f"{name}.npz")
    weights = under(fixture, "w/")
    seen = fixture["out/block1"].transpose(1, 2).unflatten(2, (2, -1))
    dim, word_dim = seen.shape[1], fixture["in/l"].shape[1]
    fusion = LanguageAwareFusion(
        (dim, 9), word_dim, 3, heads=(heads, 1), sentence_token=False
    )  # a second stage, so that the first one has a gate
    found = weights_of(under(weights, "fusion."), "attention.0.")
    found["gate.0.hidden.weight"] = weights["res_gate.0.weight"]
    found["gate.0.gate.weight"] = weights["res_gate.2.weight"]
    missing, unexpected = fusion.load_state_dict(found, strict=False)
    assert not unexpected
    assert all(".1." in key or key.startswith("normalization") for key in missing)
    kept, shown = fusion.at_stage(0, seen, text_of(fixture))
    fused = fixture["out/fused"]
    expected = torch.nn.functional.layer_norm(fused, (dim,))
    assert_close(kept.flatten(2).transpose(1, 2), expected, atol=1e-4, rtol=1e-4)
    if name == "lavt_stage_last":  # no merging follows
        assert_close(shown.flatten(2).transpose(1, 2), fixture["out/next"], atol=1e-5, rtol=1e-5)
    added = shown.flatten(2).transpose(1, 2) - fixture["out/block1"]
    assert_close(added, fixture["out/gate"] * fused, atol=1e-5, rtol=1e-4)


def test_the_last_stage_shows_its_own_map_and_has_no_gate() -> None:
    fusion = LanguageAwareFusion((4, 6), 5, 3)
    assert [*fusion.gate] == ["0"]
    seen = torch.randn(2, 6, 3, 3)
    words = TextFeatures(torch.randn(2, 4, 5), torch.randn(2, 3), torch.ones(2, 4).bool())
    assert fusion.at_stage(1, seen, words)[1] is seen


@pytest.mark.parametrize("sentence_token", [True, False])
def test_a_sentence_of_one_word_is_heard_by_its_token(sentence_token: bool) -> None:
    """Without it, as in the original, the word may be exchanged and nothing changes."""
    torch.manual_seed(0)
    fusion = LanguageAwareFusion((8,), 5, 3, sentence_token=sentence_token).double()
    seen = torch.randn(1, 8, 6, 6, dtype=torch.float64)
    one, other = (
        TextFeatures(word[:, None], word[:, :3], torch.ones(1, 1, dtype=torch.bool))
        for word in torch.randn(2, 1, 5, dtype=torch.float64)
    )
    change = (fusion.at_stage(0, seen, one)[0] - fusion.at_stage(0, seen, other)[0]).abs().max()
    assert change > 0.1 if sentence_token else change < 1e-6


def test_stages_have_the_widths_of_the_backbone() -> None:
    """Which the neck's maps, here one of 12 channels, do not show."""
    backbone = SmallBackbone(width=8, image_dim=12, colour_dim=4)
    assert backbone.train().stage_dims() == (4, 8, 16, 16)
    assert backbone.training
    fusion = LanguageAwareFusion(backbone.dims, 5, 3, stages=[3, 1])
    fusion.initialize_from(backbone)
    assert fusion.sites == (1, 3)
    assert [layer.normalized_shape for layer in fusion.normalization.values()] == [(8,), (16,)]
    assert [*fusion.gate] == ["1"]


def test_heads_of_each_stage() -> None:
    with pytest.raises(ConfigError, match="heads for each of 2 stages, got 3"):
        LanguageAwareFusion((4, 6), 5, 3, heads=(1, 1, 1))


def test_the_backbone_of_rela(shared: Path) -> None:
    """Four stages with attention, of which the last has no gate."""
    transformers = pytest.importorskip("transformers")
    fixture, facts = read(shared / "parity" / "modern" / "rela_backbone.npz")
    given = facts["arguments"]
    config = transformers.SwinConfig(
        embed_dim=given["embed_dim"],
        depths=given["depths"],
        num_heads=given["num_heads"],
        window_size=given["window_size"],
        image_size=32,
        drop_path_rate=0.0,
        out_features=[f"stage{number}" for number in range(1, 5)],
    )
    trunk = transformers.SwinBackbone(config).eval()
    weights = under(fixture, "w/")
    of_swin = {
        name: weight
        for name, weight in weights.items()
        if not (name.startswith("norm") or ".fusion." in name or ".res_gate." in name)
    }
    trunk.load_state_dict(swin_state(of_swin, trunk.state_dict()), strict=False)
    dims = [given["embed_dim"] * 2**stage for stage in range(4)]
    fusion = LanguageAwareFusion(dims, given["word_dim"], 3, sentence_token=False)
    found: dict[str, Tensor] = {}
    for stage in range(4):
        found |= weights_of(under(weights, f"layers.{stage}.fusion."), f"attention.{stage}.")
        found |= {
            f"normalization.{stage}.{kind}": weights[f"norm{stage}.{kind}"]
            for kind in ("weight", "bias")
        }
    for stage in range(3):
        for ours, theirs in (("hidden", 0), ("gate", 2)):
            found[f"gate.{stage}.{ours}.weight"] = weights[
                f"layers.{stage}.res_gate.{theirs}.weight"
            ]
    fusion.load_state_dict(found)

    words = fixture["in/lang"].transpose(1, 2)
    text = TextFeatures(words, words.new_zeros(2, 3), fixture["in/lang_mask"][:, :, 0] > 0)
    walk = SwinWalk(trunk)
    shown = walk.stem(fixture["in/image"])
    total = []
    for number, stage in enumerate(walk.stages):
        kept, shown = fusion.at_stage(number, stage(shown), text)
        name = f"res{number + 2}"
        assert_close(kept, fixture[f"out/{name}"], atol=1e-4, rtol=1e-4)
        total.append((fixture[f"in/r/{name}"] * kept).sum())
    torch.stack(total).sum().backward()
    gradient = fusion.attention["3"].mixed.weight.grad
    assert gradient is not None
    expected = fixture["grad/layers.3.fusion.project_mm.0.weight"].flatten(1)
    assert_close(gradient, expected, atol=1e-3, rtol=1e-4)
    patches = fixture["grad/patch_embed.proj.weight"]
    found_patches = trunk.swin.embeddings.patch_embeddings.projection.weight.grad
    assert_close(found_patches, patches, atol=1e-5 * patches.abs().max().item(), rtol=1e-4)


@pytest.mark.parametrize("is_zero", [True, False])
def test_gates_learn_unless_they_start_at_zero(is_zero: bool) -> None:
    """As they do in ReLA's code, where nothing that is said reaches the next stage."""
    fusion = LanguageAwareFusion((4, 6), 5, 3)
    if is_zero:
        for parameter in fusion.gate.parameters():
            torch.nn.init.zeros_(parameter)
    words = TextFeatures(torch.randn(2, 4, 5), torch.randn(2, 3), torch.ones(2, 4).bool())
    seen = torch.randn(2, 4, 3, 3)
    _, shown = fusion.at_stage(0, seen, words)
    shown.square().sum().backward()
    assert torch.equal(shown, seen) == is_zero
    for parameter in fusion.gate.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any() != is_zero
