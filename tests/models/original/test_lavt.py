"""LAVT as its own code computes it, from a file in its own layout."""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.geometry import Geometry
from refseg.losses import WeightedLogisticLoss
from refseg.models.backbones.base import Normalization
from refseg.models.original.lavt import translate_lavt
from refseg.models.original.pretrained import from_original
from refseg.models.original.swin import swin_state
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import TransformersEncoder
from refseg.models.weights.huggingface import Architecture
from refseg.types import Batch, TextFeatures

from ...parity import Fixture, read, under, unpacked

pytest.importorskip("transformers")
LOSS = WeightedLogisticLoss(1.1, 0.9, reduction="weights")
# Ours -> the original's, of the weights whose gradients are known and that are not the Swin's own.
GRADIENTS = {
    "fusion.attention.0.query.weight": "backbone.layers.0.fusion.image_lang_att.f_query.0.weight",
    "fusion.attention.2.key.weight": "backbone.layers.2.fusion.image_lang_att.f_key.0.weight",
    "fusion.attention.3.mixed.weight": "backbone.layers.3.fusion.project_mm.0.weight",
    "fusion.gate.1.hidden.weight": "backbone.layers.1.res_gate.0.weight",
    "fusion.normalization.0.weight": "backbone.norm0.weight",
    "fusion.normalization.3.bias": "backbone.norm3.bias",
    "decoder.blocks.0.0.0.weight": "classifier.conv1_4.weight",
    "decoder.blocks.1.1.1.weight": "classifier.bn2_3.weight",
}


def bert(hidden: int, layers: int = 1, vocab_size: int = 50) -> dict[str, Tensor]:
    """A BERT without its pooler, with random weights."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 64),
        max_position_embeddings=24,
    )
    torch.manual_seed(0)
    return {**BertModel(config, add_pooling_layer=False).state_dict()}


class Given(nn.Module):
    """Says what it was told, whatever it is asked."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def forward(self, *_: object) -> object:
        return self.value


def whole(fixture: Fixture, words: Tensor) -> Segmenter:
    """The network of the fixture, on the fixture's pixels and words."""
    content = {"model": under(fixture, "w/"), "bert_model": bert(48)}
    segmenter = from_original("lavt", content)
    for module in segmenter.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0  # as where the numbers were made
    mask = fixture["in/l_mask"][:, :, 0] > 0
    segmenter.backbone.normalization = Given(fixture["in/image"])
    segmenter.text_encoder = Given(TextFeatures(words, words.new_zeros(len(words), 48), mask))
    return segmenter


@pytest.fixture
def fixture(shared: Path) -> Fixture:
    return read(shared / "parity" / "modern" / "lavt_whole.npz")[0]


@pytest.fixture
def batch(fixture: Fixture, make_batch: Callable[..., Batch]) -> Batch:
    batch = make_batch((7, 5, 3), (0, 1, 2), (96, 80))
    batch.masks = unpacked(fixture["in/target"], 80)
    return batch


def difference(logits: Tensor) -> Tensor:
    background, foreground = logits.unbind(1)
    return foreground - background


def test_maps_logits_and_loss(fixture: Fixture, batch: Batch) -> None:
    segmenter = whole(fixture, fixture["in/l"].transpose(1, 2))
    decoder, seen = segmenter.decoder, []
    decoder.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        logits = segmenter(batch).logits
        coarse = decoder(seen[0], segmenter.text_encoder(), (24, 20)).logits
    for stage, found in enumerate(seen[0], start=1):
        assert_close(found, fixture[f"out/eval/c{stage}"], atol=1e-4, rtol=1e-4)
    assert_close(coarse, difference(fixture["out/eval/scores"]), atol=1e-4, rtol=1e-4)
    assert_close(logits, difference(fixture["out/eval/logits"]), atol=1e-4, rtol=1e-4)
    loss = LOSS.of_masks(logits, batch.masks)
    assert_close(loss.double(), fixture["out/eval/loss"], atol=0, rtol=1e-6)


def test_a_step_of_training(fixture: Fixture, batch: Batch) -> None:
    words = fixture["in/l"].transpose(1, 2).clone().requires_grad_()
    segmenter = whole(fixture, words).train()
    logits = segmenter(batch).logits
    assert_close(logits, difference(fixture["out/train/logits"]), atol=1e-4, rtol=1e-4)
    loss = LOSS.of_masks(logits, batch.masks)
    assert_close(loss.double(), fixture["out/train/loss"], atol=0, rtol=1e-6)
    loss.backward()
    found = {name: p.grad for name, p in segmenter.named_parameters() if p.grad is not None}
    expected = under(fixture, "grad/")
    swin = {
        name.removeprefix("backbone."): gradient
        for name, gradient in expected.items()
        if name.startswith("backbone.") and name not in GRADIENTS.values() and "fusion" not in name
    }
    names = {name.removeprefix("backbone.trunk.") for name in found}
    for name, gradient in swin_state(swin, names).items():
        assert_close(found[f"backbone.trunk.{name}"], gradient, atol=1e-4, rtol=1e-4)
    assert len(swin) == 5
    for ours, theirs in GRADIENTS.items():
        gradient = expected[theirs].view_as(found[ours])
        assert_close(found[ours], gradient, atol=1e-4, rtol=1e-4)
    for kind in ("weight", "bias"):  # theirs moves both classes
        half = expected[f"classifier.conv1_1.{kind}"][1:]
        assert_close(found[f"decoder.classifier.{kind}"], half, atol=1e-4, rtol=1e-4)
    assert words.grad is not None
    assert_close(words.grad.transpose(1, 2), expected["in/l"], atol=1e-4, rtol=1e-4)
    for name, value in under(fixture, "after/classifier.").items():
        layer, kind = name.split(".")
        block, half = 4 - int(layer[-1]), int(layer[2]) - 1
        ours = segmenter.decoder.state_dict()[f"blocks.{block}.{half}.1.{kind}"]
        assert_close(ours, value, atol=1e-5, rtol=1e-5)


def published(shared: Path, *, is_one: bool) -> dict[str, Any]:
    """A file with the names and shapes of the published ones, and no memory."""
    known = json.loads((shared / "parity" / "modern" / "keys_lavt.json").read_text())["file"]
    content = {
        entry: {
            name: torch.zeros((), dtype=getattr(torch, of["dtype"])).expand(of["shape"])
            for name, of in weights.items()
        }
        for entry, weights in known.items()
    }
    assert [len(weights) for weights in content.values()] == [451, 197]
    if is_one:
        text = content.pop("bert_model")
        content["model"] |= {f"text_encoder.{name}": weight for name, weight in text.items()}
        one = json.loads((shared / "parity" / "modern" / "keys_lavt_one.json").read_text())
        assert len(content["model"]) == one["tensors"]
        assert set(one["text_encoder_keys"]) <= set(content["model"])
    return content


@pytest.mark.parametrize("is_one", [False, True], ids=["lavt", "lavt_one"])
def test_names_and_shapes_of_the_published_files(is_one: bool, shared: Path) -> None:
    """Each tensor has its place, and each weight of the full network has its tensor."""
    model = translate_lavt(published(shared, is_one=is_one))
    sizes = model.parts["backbone"][1]["architecture"]["config"]
    assert (sizes["embed_dim"], sizes["window_size"], sizes["mlp_ratio"]) == (128, 12, 4)
    assert (sizes["depths"], sizes["num_heads"]) == ([2, 2, 18, 2], [4, 8, 16, 32])
    text = model.parts["text_encoder"][1]["architecture"]
    assert (text["num_hidden_layers"], text["num_attention_heads"]) == (12, 12)
    with torch.device("meta"):
        expected = network(model.config(), model.vocab_size).state_dict()
    assert {name: weight.shape for name, weight in model.state.items()} == {
        name: weight.shape for name, weight in expected.items()
    }
    assert model.transform == {"image_size": 480, "geometry": "squash", "resampling": "pillow"}


def network(config: dict[str, Any], vocab_size: int) -> Segmenter:
    """The network of a description, as a checkpoint would have it."""
    from refseg.checkpoint.allowed_classes import check_arguments, made
    from refseg.models.parts import import_parts

    import_parts()
    checked = check_arguments(Segmenter, {**config, "vocab_size": vocab_size}, "the test")
    return Segmenter(**{name: made(value) for name, value in checked.items()})


@pytest.mark.parametrize("number", [0, 1, 2])
def test_images_and_masks_are_prepared_as_in_the_original(number: int, shared: Path) -> None:
    """Squashed by Pillow: to the last bit."""
    fixture, _ = read(shared / "parity" / "modern" / "lavt_prep.npz")
    image, mask = (fixture[f"in/{kind}{number}"].numpy() for kind in ("image", "mask"))
    geometry = Geometry.squash(*mask.shape, 40, "pillow")
    pixels = torch.from_numpy(geometry.apply_image(image)).movedim(2, 0)
    expected = fixture[f"out/image{number}"]
    assert_close(Normalization("imagenet")(pixels[None])[0], expected, atol=1e-6, rtol=1e-6)
    squashed = torch.from_numpy(geometry.apply_masks(mask[None] > 0)[0])
    assert torch.equal(squashed, fixture[f"out/mask{number}"] > 0)


def test_bert(shared: Path) -> None:
    """The last hidden states, [CLS] and [SEP] among them, of sentences with padding."""
    fixture, facts = read(shared / "parity" / "modern" / "lavt_bert.npz")
    sizes = {**facts["arguments"], "model_type": "bert"}
    encoder = TransformersEncoder(60, "none", dropout=False, architecture=Architecture(sizes))
    encoder.trunk.load_state_dict(under(fixture, "w/"))
    mask = fixture["in/attention_mask"] > 0
    words = encoder.train()(fixture["in/ids"], mask).words
    assert_close(words[mask], fixture["out/last_hidden_state"][mask], atol=1e-5, rtol=1e-5)


def test_options_in_the_file_count(fixture: Fixture) -> None:
    content = {"model": under(fixture, "w/"), "bert_model": bert(48)}
    model = translate_lavt({**content, "args": Namespace(mha="2-2-4-4", img_size=384)})
    assert model.parts["fusion"][1]["heads"] == [2, 2, 4, 4]
    assert model.transform["image_size"] == 384
    for name, value in (("mha", "4-4"), ("mha", "a-b-c-d"), ("img_size", "large")):
        with pytest.raises(ConfigError, match=f"the option `{name}` in LAVT's file .*{value}"):
            translate_lavt({**content, "args": Namespace(**{name: value})})


def test_what_is_wrong_is_named(fixture: Fixture) -> None:
    weights, text = under(fixture, "w/"), bert(48)
    name = "backbone.layers.1.blocks.1.mlp.fc2.bias"
    lacking = {n: w for n, w in weights.items() if n != name}
    for content, expected in [
        ({"model": weights}, "the weights of LAVT's bert_model, got none; there are model"),
        ({"model": 3, "bert_model": text}, "LAVT's model, got something else"),
        ({"model": {"a": weights[name]}, "bert_model": text}, "patch_embed.*got none"),
        ({"model": lacking, "bert_model": text}, f"1 missing: {name}"),
        ({"model": {**weights, "more": weights[name]}, "bert_model": text}, "not of this.*: more"),
        ({"model": {**weights, name: weights[name][:3]}, "bert_model": text}, f"misshapen: {name}"),
        ({"model": weights, "bert_model": bert(16)}, r"misshapen: .*f_key.*\(16, 16, 1\), got"),
    ]:
        with pytest.raises(ConfigError, match=expected):
            translate_lavt(content)
