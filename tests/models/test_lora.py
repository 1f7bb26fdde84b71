"""Low-rank adapters: what they start as, what is trained, and that they go into the weights."""

import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import TimmBackbone, TorchvisionBackbone, TransformersBackbone
from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import FilmFusion
from refseg.models.lora import LoRA
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder, TransformersEncoder
from refseg.types import Batch

pytest.importorskip("peft")
MakeBatch = Callable[..., Batch]
FILM = partial(FilmFusion, hidden_dim=6, blocks=1)


@pytest.fixture
def segmenter(transformers_models: Path) -> Segmenter:
    """Frozen encoders of transformers on both sides."""
    torch.manual_seed(0)
    return Segmenter(
        partial(TransformersBackbone, str(transformers_models / "dinov2"), layers=[2]),
        partial(TransformersEncoder, name=str(transformers_models / "bert")),
        FILM,
        BilinearDecoder,
        vocab_size=50,
    )


def trained(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def moved(segmenter: Segmenter) -> Segmenter:
    """With adapters that do something, as after training."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in segmenter.named_parameters():
            if "lora_B" in name:
                parameter += 0.5 * torch.randn(parameter.shape, generator=generator)
    return segmenter


def test_only_adapters_and_heads_are_trained(segmenter: Segmenter, make_batch: MakeBatch) -> None:
    """Two matrices for each query and value; the last two of four layers are not even needed."""
    heads = trained(segmenter)
    lora = LoRA(segmenter, rank=2)
    places = [
        *(f"backbone.trunk.encoder.layer.{layer}.attention" for layer in (0, 1)),
        *(f"text_encoder.trunk.encoder.layer.{layer}.attention" for layer in (0, 1)),
    ]
    assert len(lora.layers) == 8
    for place in places:  # the names behind it differ between releases of transformers
        endings = sorted(n.rpartition(".")[2] for n in lora.layers if n.startswith(f"{place}."))
        assert endings in (["query", "value"], ["q_proj", "v_proj"])
    matrices = {f"{n}.lora_{m}.default.weight" for n in lora.layers for m in "AB"}
    assert trained(segmenter) == heads | matrices
    assert sum(segmenter.get_parameter(name).numel() for name in matrices) == 8 * 2 * 2 * 16
    logits = moved(segmenter).train()(make_batch()).logits
    (logits * torch.randn_like(logits)).sum().backward()
    for name, parameter in segmenter.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (
            name in heads | matrices
        ), name


def test_before_training_the_network_answers_as_without(
    segmenter: Segmenter, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    before = segmenter.eval()(batch).logits
    LoRA(segmenter)
    assert_close(segmenter.eval()(batch).logits, before, rtol=0, atol=0)
    assert not torch.allclose(moved(segmenter)(batch).logits, before)


def test_a_layer_adds_what_the_paper_says(segmenter: Segmenter) -> None:
    name = "text_encoder.trunk.encoder.layer.1.attention.self.query"
    weight = deepcopy(segmenter.get_submodule(name))
    LoRA(segmenter, rank=4, alpha=6.0, targets=[name])
    layer = moved(segmenter).eval().get_submodule(name)
    a = segmenter.get_parameter(f"{name}.lora_A.default.weight")
    b = segmenter.get_parameter(f"{name}.lora_B.default.weight")
    x = torch.randn(3, 16)
    assert_close(layer(x), weight(x) + 6 / 4 * x @ a.T @ b.T)


def test_merged_weights_answer_the_same(segmenter: Segmenter, make_batch: MakeBatch) -> None:
    names, batch = {*segmenter.state_dict()}, make_batch()
    lora = LoRA(segmenter)
    apart = moved(segmenter).eval()(batch).logits
    lora.merge()
    assert {*segmenter.state_dict()} == names
    assert_close(segmenter(batch).logits, apart, rtol=1e-4, atol=1e-5)
    assert segmenter.backbone.is_constant
    assert segmenter.text_encoder.is_constant


def test_dropout_is_on_while_training_only(segmenter: Segmenter, make_batch: MakeBatch) -> None:
    """The rest of a frozen trunk stays in evaluation mode."""
    LoRA(segmenter, dropout=0.5, targets=["backbone*fc1"])
    backbone, images = moved(segmenter).backbone, make_batch().images
    backbone.train()
    assert not torch.equal(backbone(images)[-1], backbone(images)[-1])
    assert not backbone.trunk.training
    backbone.eval()
    assert torch.equal(backbone(images)[-1], backbone(images)[-1])
    assert not backbone.is_constant


@pytest.mark.parametrize(
    ("backbone", "target"),
    [
        (partial(TorchvisionBackbone, "resnet18", frozen=True, stride=32), "backbone*conv1"),
        (partial(TimmBackbone, "test_vit", frozen=True), "backbone*attn.qkv"),
    ],
)
def test_convolutions_and_fused_projections(
    backbone: Callable[..., Any], target: str, make_batch: MakeBatch
) -> None:
    torch.manual_seed(0)
    network = Segmenter(
        backbone,
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        FILM,
        BilinearDecoder,
        vocab_size=50,
    ).eval()
    batch = make_batch()
    before = network(batch).logits
    lora = LoRA(network, rank=1, targets=[target])
    assert_close(network(batch).logits, before, rtol=0, atol=0)
    apart = moved(network)(batch).logits
    assert not torch.allclose(apart, before, atol=1e-5)
    lora.merge()
    assert_close(network(batch).logits, apart, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64])
def test_precisions(segmenter: Segmenter, make_batch: MakeBatch, precision: torch.dtype) -> None:
    batch = make_batch()
    LoRA(segmenter)
    exact = moved(segmenter).eval()(batch).logits
    rough = segmenter.to(precision)(batch).logits
    assert (rough - exact).abs().mean() < 0.1 * exact.std() + 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["*quer"]}, r"'\*quer' of lora\.targets .*There are .*self\.query"),
        (
            {"targets": ["backbone*fc3"]},
            r"There are .*backbone\.trunk\.encoder\.layer\.\*\.mlp\.fc[12]",
        ),
        ({"rank": 0}, r"rank of at least 1 .*got 0 and 0\.0"),
        ({"dropout": 1.0}, r"got 8 and 1\.0"),
    ],
)
def test_bad_options_name_the_remedy(
    segmenter: Segmenter, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        LoRA(segmenter, **options)


def test_what_is_trained_as_a_whole_needs_no_adapters() -> None:
    network = Segmenter(
        partial(TorchvisionBackbone, "resnet18"), partial(LSTMEncoder), FILM, BilinearDecoder, 50
    )
    with pytest.raises(ConfigError, match=r"No part is frozen: set model\.backbone\.frozen"):
        LoRA(network, targets=["*conv1"])
    with pytest.raises(ConfigError, match=r"No layer .* No part is frozen"):
        LoRA(network)


def test_without_peft_the_message_says_how_to_install(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"pip install 'refseg\[lora\]'"):
        LoRA(segmenter)
