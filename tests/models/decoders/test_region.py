"""The region decoder against the numbers of ReLA's own code, and what it promises beyond them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.decoders import RegionDecoder
from refseg.models.decoders.pixel_decoder import PixelFeatures
from refseg.types import Maps, TextFeatures

from ...parity import Fixture, read, under, unpacked

ATTENTIONS = {
    "attention.in_proj_weight": "in_proj_weight",
    "attention.in_proj_bias": "in_proj_bias",
    "attention.out_proj.weight": "out_proj.weight",
    "attention.out_proj.bias": "out_proj.bias",
}


def decoder_weights(original: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The original's weights by our names."""
    found = {
        "regions": original["query_feat.weight"],
        "positions": original["query_embed.weight"],
        "level_positions": original["level_embed.weight"],
        "words.weight": original["lang_proj.weight"],
        "loudness": original["lang_weight"],
    }
    attentions = {"listening": "RLA_lang_att.multihead_attn"}
    pairs = {
        "listening.normalization": "RLA_lang_att.norm",
        "normalization": "decoder_norm",
        "classifier": "minimap_embed",
        **{f"nothing.{2 * number}": f"nt_embed.layers.{number}" for number in range(2)},
        **{f"mask_embedding.{2 * number}": f"mask_embed.layers.{number}" for number in range(3)},
    }
    for number in range(layers):
        ours = f"layers.{number}"
        attentions |= {
            f"{ours}.image": f"RIA_layers.{number}.multihead_attn",
            f"{ours}.regions": f"RLA_vision.{number}.self_attn",
        }
        pairs |= {
            f"{ours}.image.normalization": f"RIA_layers.{number}.norm",
            f"{ours}.regions.normalization": f"RLA_vision.{number}.norm",
            f"{ours}.feedforward.0": f"transformer_ffn_layers.{number}.linear1",
            f"{ours}.feedforward.2": f"transformer_ffn_layers.{number}.linear2",
            f"{ours}.normalization": f"transformer_ffn_layers.{number}.norm",
        }
    for ours, theirs in attentions.items():
        found |= {f"{ours}.{a}": original[f"{theirs}.{b}"] for a, b in ATTENTIONS.items()}
    for ours, theirs in pairs.items():
        found |= {f"{ours}.{kind}": original[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    return found


def text_of(fixture: Fixture) -> TextFeatures:
    """Words without padding: the original attends to all of them."""
    words = fixture["in/lang"].transpose(1, 2).clone().requires_grad_()
    mask = torch.ones(words.shape[:2], dtype=torch.bool)
    return TextFeatures(words, words.new_zeros(len(words), 1), mask)


class Given(torch.nn.Module):
    """Stands for the pixel decoder, whose result is given."""

    levels = 3

    def __init__(self, features: PixelFeatures) -> None:
        super().__init__()
        self.features = features

    def forward(self, maps: Maps) -> PixelFeatures:
        return self.features


def test_numbers_of_the_original(shared: Path) -> None:
    """Each step of four passes, the outputs, and the gradients."""
    fixture, facts = read(shared / "parity" / "modern" / "rela_decoder.npz")
    given = facts["arguments"]
    decoder = RegionDecoder(
        (1, 1, 1, 1),
        given["word_dim"],
        1,
        hidden_dim=given["hidden_dim"],
        mask_dim=given["mask_dim"],
        layers=given["layers"],
        heads=given["nheads"],
        feedforward_dim=given["dim_feedforward"],
        grid=5,
        language_weight=given["rla_weight"],
    )
    names = ("level0", "level1", "level2", "mask_features")
    *levels, pixels = (fixture[f"in/{name}"].clone().requires_grad_() for name in names)
    decoder.pixel_decoder = Given(PixelFeatures(pixels, tuple(levels)))
    decoder.load_state_dict(decoder_weights(under(fixture, "w/"), given["layers"]))
    text = text_of(fixture)

    steps: dict[str, Tensor] = {}
    for number, layer in enumerate(decoder.layers):
        for name, part in (
            ("ria", layer.image),
            ("rla_vision", layer.regions),
            ("ffn", layer.normalization),
        ):
            keep = lambda _, __, value, n=f"layer{number}_{name}": steps.update({n: value})  # noqa: E731
            part.register_forward_hook(keep)
    decoder.listening.register_forward_hook(lambda *a: steps.update({"rla_lang_raw": a[2]}))
    output = decoder((pixels,) * 4, text, (24, 32))

    assert len(steps) == 4 * 3 + 1
    for name, value in steps.items():
        assert_close(value.transpose(0, 1), fixture[f"out/at/{name}"], atol=1e-5, rtol=1e-4)
    for number in range(5):
        level = levels[number % 3]
        smaller = functional.interpolate(pixels, level.shape[2:], mode="bilinear")
        known = decoder.regions.expand(2, -1, -1)
        known = steps[f"layer{number - 1}_ffn"] if number else known
        expected = unpacked(fixture[f"out/at/heads{number}_attn_mask"], level[0, 0].numel())
        assert torch.equal(decoder.hidden(known, smaller), expected[::4])  # one of four heads

    found = decoder.normalization(steps["layer3_ffn"])
    outputs = {
        "pred_logits": decoder.classifier(found),
        "all_masks": torch.einsum("eqd,edhw->eqhw", decoder.mask_embedding(found), pixels),
        "nt_label": decoder.nothing(found).mean(1),
    }
    outputs["pred_masks"] = torch.einsum(
        "eqc,eqhw->echw", outputs["pred_logits"], outputs["all_masks"]
    )
    for name, value in outputs.items():
        assert_close(value, fixture[f"out/{name}"], atol=2e-5, rtol=1e-4)
    minus, plus = fixture["out/pred_masks"].unbind(1)
    assert_close(output.logits, plus - minus, atol=5e-5, rtol=1e-4)
    minus, plus = fixture["out/nt_label"].unbind(1)
    assert_close(output.no_target, plus - minus, atol=1e-5, rtol=1e-4)
    minus, plus = fixture["out/pred_logits"].unbind(2)
    assert_close(output.auxiliary["minimap"].flatten(1), plus - minus, atol=1e-5, rtol=1e-4)

    sums = [(fixture[f"in/r/{name}"] * value).sum() for name, value in outputs.items()]
    torch.stack(sums).sum().backward()
    expected = decoder_weights({**under(fixture, "w/"), **under(fixture, "grad/")}, given["layers"])
    parameters = dict(decoder.named_parameters())
    for name in (
        "loudness",
        "layers.3.regions.attention.in_proj_weight",
        "layers.0.image.attention.in_proj_weight",
        "normalization.weight",
        "regions",
        "positions",
        "words.weight",
        "listening.attention.in_proj_weight",
        "level_positions",
        "classifier.weight",
        "nothing.2.weight",
        "mask_embedding.4.weight",
    ):
        scale = expected[name].abs().max().item()
        assert_close(parameters[name].grad, expected[name], atol=1e-4 * max(1, scale), rtol=1e-4)
    assert text.words.grad is not None
    for value, name in (
        (text.words.grad.transpose(1, 2), "lang"),
        (pixels.grad, "mask_features"),
        (levels[1].grad, "level1"),
    ):
        assert_close(value, fixture[f"grad/in/{name}"], atol=1e-3, rtol=1e-4)


def make(dims: tuple[int, ...] = (5, 6), **options: object) -> RegionDecoder:
    torch.manual_seed(0)
    chosen = {"hidden_dim": 16, "heads": 2, "feedforward_dim": 24, "layers": 3, "grid": 3}
    decoder = RegionDecoder(dims, 7, 1, **{**chosen, "pixel_decoder": "pyramid", **options})
    torch.nn.init.normal_(decoder.words.weight)
    return decoder


def test_padding_may_be_anything_even_where_there_are_no_words() -> None:
    decoder = make(language_weight=3.0)
    maps = (torch.randn(1, 5, 8, 8), torch.randn(1, 6, 4, 4))
    words = torch.randn(1, 2, 7)
    padded = torch.cat([words, torch.full((1, 3, 7), torch.nan)], dim=1)
    masks = [torch.arange(5)[None] < length for length in (2, 1, 0)]
    two, one, none = (
        decoder(maps, TextFeatures(padded, words[:, 0], mask), (16, 16)).logits for mask in masks
    )
    alone = TextFeatures(words, words[:, 0], torch.ones(1, 2, dtype=torch.bool))
    assert_close(two, decoder(maps, alone, (16, 16)).logits)
    assert (two - one).abs().max() > 1e-3, "it hears the second word"
    assert none.isfinite().all()


def test_pixels_are_compared_with_the_sum_of_the_regions() -> None:
    """The same logits, made of the mask of each region at full size."""
    decoder = make()
    maps = (torch.randn(2, 5, 8, 8), torch.randn(2, 6, 4, 4))
    text = TextFeatures(torch.randn(2, 4, 7), torch.zeros(2, 1), torch.ones(2, 4).bool())
    output = decoder(maps, text, (16, 16))
    pixels, levels = decoder.pixel_decoder(maps)
    found = decoder.normalization(decoder.ask(pixels, levels, text))
    masks = torch.einsum("eqd,edhw->eqhw", decoder.mask_embedding(found), pixels)
    minimap = decoder.classifier(found)
    both = torch.einsum("eqc,eqhw->echw", minimap, masks)
    full = functional.interpolate(both, (16, 16), mode="bilinear")
    assert_close(output.logits, full[:, 1] - full[:, 0], atol=1e-5, rtol=1e-4)
    rows = output.auxiliary["minimap"]
    assert_close(rows[:, 2, 1], (minimap[..., 1] - minimap[..., 0])[:, 7])


def test_widths_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="multiple of 12"):
        make(hidden_dim=16, heads=3)


@pytest.mark.parametrize(("part", "millions"), [("pixel_decoder", 5.5), ("", 15.0)])
def test_parameters_of_the_published_network(part: str, millions: float) -> None:
    """Of Swin-B and BERT's widths, apart for the pixel decoder and all that follows it."""
    with torch.device("meta"):
        decoder = RegionDecoder((128, 256, 512, 1024), 768, 768)
    counts = {
        name: sum(p.numel() for n, p in decoder.named_parameters() if n.startswith(name))
        for name in ("pixel_decoder", "")
    }
    count = counts[part] - (0 if part else counts["pixel_decoder"])
    assert round(count / 1e6, 1) == millions


class Exported(torch.nn.Module):
    """A decoder that is called with tensors alone."""

    def __init__(self, decoder: RegionDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, fine: Tensor, coarse: Tensor, words: Tensor, token_mask: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        output = self.decoder(
            (fine, coarse), TextFeatures(words, words[:, 0], token_mask), (16, 16)
        )
        return output.logits, output.no_target


@pytest.mark.parametrize("pixel_decoder", ["deformable", "pyramid"])
def test_exports(pixel_decoder: str) -> None:
    """The exported program is for any number of expressions."""
    decoder = Exported(make(pixel_decoder=pixel_decoder).eval())

    def some(count: int) -> tuple[Tensor, ...]:
        mask = torch.arange(4) < torch.randint(1, 5, (count, 1))
        maps = torch.randn(count, 5, 8, 8), torch.randn(count, 6, 4, 4)
        return (*maps, torch.randn(count, 4, 7), mask)

    expressions = torch.export.Dim("expressions", min=2)
    shapes = tuple({0: expressions} for _ in range(4))
    program = torch.export.export(decoder, some(3), dynamic_shapes=shapes).module()
    for count in (2, 5):
        given = some(count)
        assert_close(program(*given), decoder(*given), rtol=1e-4, atol=1e-5)


def test_no_mask_is_withdrawn_untrained() -> None:
    maps = (torch.randn(2, 5, 8, 8), torch.randn(2, 6, 4, 4))
    text = TextFeatures(torch.randn(2, 4, 7), torch.zeros(2, 1), torch.ones(2, 4).bool())
    output = make()(maps, text, (16, 16))
    assert output.no_target is not None
    assert not output.no_target.any()
    assert torch.equal(output.segmentation(), output.logits)
    assert make(no_target=False)(maps, text, (16, 16)).no_target is None
