"""Pixel decoders against the numbers of the original, and by hand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.decoders.pixel_decoder import DeformablePixelDecoder, PyramidPixelDecoder
from refseg.models.decoders.sine_positions import sine_positions

from ...parity import read, under
from .test_deformable_attention import attention_weights


def pixel_decoder_weights(original: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The original's weights by our names."""
    found = {
        "level_positions": original["transformer.level_embed"],
        "finest.lateral.0.weight": original["adapter_1.weight"],
        "finest.smoothing.0.weight": original["layer_1.weight"],
    }
    pairs = {
        "pixels": "mask_features",
        "finest.lateral.1": "adapter_1.norm",
        "finest.smoothing.1": "layer_1.norm",
        **{f"inputs.{i}.{part}": f"input_proj.{i}.{part}" for i in range(3) for part in (0, 1)},
    }
    for number in range(layers):
        ours, theirs = f"layers.{number}", f"transformer.encoder.layers.{number}"
        found |= {
            f"{ours}.attention.{name}": weight
            for name, weight in attention_weights(under(original, f"{theirs}.self_attn.")).items()
        }
        pairs |= {
            f"{ours}.attended": f"{theirs}.norm1",
            f"{ours}.feedforward.0": f"{theirs}.linear1",
            f"{ours}.feedforward.2": f"{theirs}.linear2",
            f"{ours}.finished": f"{theirs}.norm2",
        }
    for name, other in pairs.items():
        found |= {f"{name}.{kind}": original[f"{other}.{kind}"] for kind in ("weight", "bias")}
    return found


def test_numbers_of_the_original(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "modern" / "rela_pixel_decoder.npz")
    given = facts["arguments"]
    decoder = DeformablePixelDecoder(
        given["channels"],
        given["conv_dim"],
        given["mask_dim"],
        given["transformer_enc_layers"],
        given["transformer_nheads"],
        given["transformer_dim_feedforward"],
    )
    decoder.load_state_dict(pixel_decoder_weights(under(fixture, "w/"), len(decoder.layers)))
    maps = tuple(fixture[f"in/res{number}"].clone().requires_grad_() for number in (2, 3, 4, 5))
    found = decoder(maps)
    named = {"mask_features": found.pixels}
    named |= {f"level{number}": level for number, level in enumerate(found.levels)}
    for name, value in named.items():
        assert_close(value, fixture[f"out/{name}"], atol=1e-5, rtol=1e-5)
    total = torch.stack([(fixture[f"in/r/{name}"] * value).sum() for name, value in named.items()])
    total.sum().backward()
    assert_close(total.sum().double(), fixture["out/scalar"], rtol=1e-5, atol=0)
    parameters = dict(decoder.named_parameters())
    gradients = {
        "inputs.0.0.weight": "input_proj.0.0.weight",
        "inputs.0.1.weight": "input_proj.0.1.weight",
        "level_positions": "transformer.level_embed",
        "layers.0.attention.offsets.weight": (
            "transformer.encoder.layers.0.self_attn.sampling_offsets.weight"
        ),
        "pixels.bias": "mask_features.bias",
        "finest.lateral.0.weight": "adapter_1.weight",
        "finest.smoothing.0.weight": "layer_1.weight",
        "finest.smoothing.1.weight": "layer_1.norm.weight",
    }
    for ours, theirs in gradients.items():
        assert_close(parameters[ours].grad, fixture[f"grad/{theirs}"], atol=1e-3, rtol=1e-4)
    assert_close(maps[0].grad, fixture["grad/in/res2"], atol=1e-4, rtol=1e-4)
    assert_close(maps[3].grad, fixture["grad/in/res5"], atol=1e-4, rtol=1e-4)


def test_positions_are_those_of_the_transformers_library() -> None:
    mask2former = pytest.importorskip("transformers.models.mask2former.modeling_mask2former")
    embedding = mask2former.Mask2FormerSinePositionEmbedding(
        num_position_features=8, normalize=True
    )
    shape = torch.Size([1, 16, 5, 7])
    expected = embedding(shape, torch.device("cpu"), torch.float32)[0]
    assert_close(sine_positions(5, 7, 16), expected, atol=1e-5, rtol=1e-5)


def test_pyramid_by_hand() -> None:
    """From coarse to fine: enlarge, add, convolve."""
    torch.manual_seed(0)
    decoder = PyramidPixelDecoder((2, 3, 5), 8, 6)
    fine, middle, coarse = (
        torch.randn(2, dim, 12 // stride, 16 // stride) for dim, stride in ((2, 1), (3, 2), (5, 4))
    )
    found = decoder((fine, middle, coarse))
    merged = decoder.coarsest(coarse)
    assert_close(found.levels[0], merged)
    for number, finer in enumerate((middle, fine)):
        refinement = decoder.refinements[number]
        enlarged = functional.interpolate(merged, finer.shape[-2:], mode="bilinear")
        merged = refinement.smoothing(refinement.lateral(finer) + enlarged)
        if number == 0:
            assert_close(found.levels[1], merged)
    assert_close(found.pixels, decoder.pixels(merged))
    assert len(found.levels) == decoder.levels == 2


@pytest.mark.parametrize("kind", [DeformablePixelDecoder, PyramidPixelDecoder])
@pytest.mark.parametrize("dims", [(5,), (5, 6), (5, 6, 7, 8, 9)])
def test_any_number_of_maps(kind: type, dims: tuple[int, ...]) -> None:
    decoder = kind(dims, 16, 6)
    maps = tuple(
        torch.randn(2, dim, 32 // 2**number, 48 // 2**number) for number, dim in enumerate(dims)
    )
    pixels, levels = decoder(maps)
    assert pixels.shape == (2, 6, 32, 48)
    assert len(levels) == decoder.levels == max(1, len(dims) - 1)
    for level, each in zip(reversed(levels), maps[1:] or maps, strict=True):
        assert level.shape == (2, 16, *each.shape[2:])
