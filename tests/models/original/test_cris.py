"""The whole CRIS against the numbers of its own code."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.losses import WeightedLogisticLoss
from refseg.models import backbones, decoders, fusion, text_encoders
from refseg.models.original.cris import cris_state, translate_cris
from refseg.models.parameters import parameter_groups, scale_learning_rates
from refseg.models.segmenter import Segmenter
from refseg.types import GRID_LOGITS, Maps, TextFeatures

from ...parity import assert_close_in_scale, read, under, unpacked
from ..backbones.test_clip_resnet import walk

pytest.importorskip("transformers")


def network(weights: Mapping[str, Tensor], heads: int, clip: Mapping[str, Any]) -> Segmenter:
    """A segmenter of CRIS's parts, of the sizes of its weights, without dropout."""
    model = translate_cris(weights, heads)
    parts = {part: dict(arguments) for part, (_, arguments) in model.parts.items()}
    parts["text_encoder"]["heads"] = clip["t_heads"]
    parts["fusion"]["dropout"] = 0.0
    segmenter = Segmenter(
        partial(backbones.ClipResNet, **parts["backbone"]),
        partial(text_encoders.ClipTextEncoder, **parts["text_encoder"]),
        partial(fusion.CrossModalTransformer, **parts["fusion"]),
        partial(decoders.TextKernelDecoder, **parts["decoder"]),
        model.vocab_size,
    )
    segmenter.load_state_dict(model.state)
    return segmenter


def answer(segmenter: Segmenter, pixels: Tensor, ids: Tensor) -> tuple[Maps, TextFeatures, Tensor]:
    """Maps, text and logits of pixels that are normalised already."""
    maps = walk(segmenter.backbone, pixels)  # type: ignore[arg-type]  # it is a ClipResNet
    text = segmenter.text_encoder(ids, ids != 0)
    fused = segmenter.fusion(maps, text, torch.arange(len(ids)))
    height, width = pixels.shape[-2:]
    output = segmenter.decoder(fused, text, (height, width))
    return (*maps, *fused), text, output.auxiliary[GRID_LOGITS]


def test_whole_network(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "modern" / "cris_whole.npz")
    segmenter = network(under(fixture, "w/"), 4, facts["clip"]).eval()
    pixels, ids = fixture["in/image"], fixture["in/word"]
    (v3, v4, v5, decoded), text, logits = answer(segmenter, pixels, ids)
    found = {"v3": v3, "v4": v4, "v5": v5, "decoded": decoded.flatten(2), "state": text.sentence}
    for name, each in found.items():
        assert_close(each, fixture[f"out/eval/{name}"], atol=5e-5, rtol=5e-5)
    assert_close(text.words[ids != 0], fixture["out/eval/words"][ids != 0], atol=1e-5, rtol=1e-5)
    assert_close(logits[:, None], fixture["out/eval/pred"], atol=1e-4, rtol=1e-4)


def test_loss_and_gradients_of_the_whole_network(shared: Path) -> None:
    """Its masks are soft at their edges, ours are not: the loss is torch's own here."""
    fixture, facts = read(shared / "parity" / "modern" / "cris_whole.npz")
    segmenter = network(under(fixture, "w/"), 4, facts["clip"]).train()
    _, _, logits = answer(segmenter, fixture["in/image"], fixture["in/word"])
    assert_close(logits[:, None], fixture["out/train/pred"], atol=1e-4, rtol=1e-4)
    small = fixture["in/mask"][:, 0, ::4, ::4]
    assert_close(small, fixture["out/train/mask_small"][:, 0])
    loss = functional.binary_cross_entropy_with_logits(logits, small)
    assert_close(loss.double(), fixture["out/train/loss"], atol=1e-6, rtol=1e-6)
    loss.backward()
    for name, expected in cris_state(under(fixture, "grad/")).items():
        assert_close_in_scale(segmenter.get_parameter(name).grad, expected)


def test_four_steps_of_training(shared: Path) -> None:
    """CLIP at a tenth of the rate, but for the positions of words and cells."""
    fixture, facts = read(shared / "parity" / "modern" / "cris_train.npz")
    segmenter = network(under(fixture, "w/"), 2, facts["clip"]).train()
    factors = {"*position*": 1.0, "backbone.*": 0.1, "text_encoder.*": 0.1}
    optimizer = torch.optim.Adam(parameter_groups(segmenter, None, factors), lr=2e-3)
    scale_learning_rates(optimizer)
    masks = unpacked(fixture["in/masks"][:, 0], 96)
    for step in range(4):
        _, _, logits = answer(segmenter, fixture["in/images"], fixture["in/ids"])
        if step == 0:
            assert_close(logits[:, None], fixture["out/pred_first"], atol=1e-4, rtol=1e-4)
        small = functional.interpolate(masks[:, None].float(), logits.shape[-2:])[:, 0] > 0
        loss = WeightedLogisticLoss().of_masks(logits, small)
        assert_close(loss.double(), fixture["out/loss"][step], atol=2e-6, rtol=2e-6)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_close(logits[:, None], fixture["out/pred_last"], atol=2e-4, rtol=2e-4)
    state = segmenter.state_dict()
    for name, expected in cris_state(under(fixture, "w_final/")).items():
        assert_close(state[name], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "millions"), [("r50", 146.85), ("r101", 161.25)])
def test_layout_of_the_published_files(name: str, millions: float, shared: Path) -> None:
    """Every name has a place, of the same shape, and no place is left."""
    layout = json.loads((shared / "parity" / "modern" / f"keys_cris_{name}.json").read_text())
    rows = layout["file"]["state_dict"]
    with torch.device("meta"):
        weights = {
            f"module.{key}": torch.empty(row["shape"], dtype=getattr(torch, row["dtype"]))
            for key, row in rows.items()
        }
        model = translate_cris({"state_dict": weights, "epoch": 50})
        segmenter = Segmenter(
            partial(backbones.ClipResNet, **model.parts["backbone"][1]),
            partial(text_encoders.ClipTextEncoder, **model.parts["text_encoder"][1]),
            partial(fusion.CrossModalTransformer, **model.parts["fusion"][1]),
            partial(decoders.TextKernelDecoder, **model.parts["decoder"][1]),
            model.vocab_size,
        )
    expected = {key: tensor.shape for key, tensor in segmenter.state_dict().items()}
    assert {key: tensor.shape for key, tensor in model.state.items()} == expected
    parameters = [row["shape"] for row in rows.values() if row["kind"] == "parameter"]
    published = sum(torch.Size(shape).numel() for shape in parameters)
    assert round(published / 1e6, 2) == millions
    scale = 1  # `logit_scale`, which nothing depends on
    assert sum(p.numel() for p in segmenter.parameters()) == published - scale


def test_what_is_wrong_is_named(shared: Path) -> None:
    weights = under(read(shared / "parity" / "modern" / "cris_train.npz")[0], "w/")
    name = "decoder.layers.1.ffn.4.bias"
    lacking = {key: weight for key, weight in weights.items() if key != name}
    for content, expected in [
        ({"state_dict": 3, "epoch": 1}, "got something else; there are state_dict, epoch"),
        ({"epoch": 1}, "got something else; there are epoch"),
        ({"state_dict": {"module.a": weights[name]}}, "attnpool.positional_embedding.*got none"),
        ({"state_dict": lacking}, f"1 missing: {name}"),
        ({"state_dict": {**weights, "module.neck.x": weights[name]}}, "not of this.*: neck.x"),
        ({"state_dict": {**weights, name: weights[name][:3]}}, f"misshapen: {name}"),
    ]:
        with pytest.raises(ConfigError, match=expected):
            translate_cris(content)


def test_weights_of_half_precision_become_whole(shared: Path) -> None:
    weights = under(read(shared / "parity" / "modern" / "cris_train.npz")[0], "w/")
    halved = {f"module.{key}": w.half() if w.ndim > 1 else w for key, w in weights.items()}
    state = translate_cris({"state_dict": halved}).state
    assert {w.dtype for w in state.values()} == {torch.float32, torch.int64}
