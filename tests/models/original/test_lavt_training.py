"""LAVT's training run, step by step, by its recipe in `configs/modern`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.cli.configs.bases import read_yaml, with_bases
from refseg.cli.configs.files import PACKAGE_CONFIGS
from refseg.losses import WeightedLogisticLoss
from refseg.models.original.heads import OriginalModel
from refseg.models.original.lavt import translate_lavt
from refseg.models.parameters import parameter_groups, scale_learning_rates
from refseg.models.segmenter import Segmenter
from refseg.training.schedules import Polynomial
from refseg.types import Batch

from ...parity import Facts, Fixture, read, under, unpacked
from .test_lavt import Given, difference, network

pytest.importorskip("transformers")
STEPS = 6  # two epochs of three, each of two samples


@pytest.fixture(scope="module")
def run(shared: Path) -> tuple[Fixture, Facts]:
    return read(shared / "parity" / "modern" / "lavt_train.npz")


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    path = PACKAGE_CONFIGS / "modern" / "lavt_refcoco.yaml"
    return with_bases(read_yaml(path), path.parent)["model"]


def translated(weights: dict[str, dict[str, Tensor]]) -> OriginalModel:
    """The model of the run, whose BERT has more heads than one of its width usually has."""
    model = translate_lavt(weights)
    model.parts["text_encoder"][1]["architecture"]["num_attention_heads"] = 2
    model.parts["backbone"][1]["drop_path"] = 0.0
    return model


def made(model: OriginalModel) -> Segmenter:
    segmenter = network(model.config(), model.vocab_size)
    segmenter.load_state_dict(model.state)
    return segmenter


@pytest.fixture(scope="module")
def weights(run: tuple[Fixture, Facts]) -> dict[str, dict[str, Tensor]]:
    fixture, _ = run
    return {entry: under(fixture, f"w/{entry}/") for entry in ("model", "bert_model")}


def optimizer_of(segmenter: Segmenter, recipe: dict[str, Any]) -> torch.optim.Optimizer:
    groups = parameter_groups(segmenter, recipe["decayed"], recipe["learning_rate_factors"])
    options = {**recipe["optimizer"]["init_args"], "lr": 0.001}  # of the run; 5e-5 in the recipe
    optimizer = torch.optim.AdamW(groups, **options)
    scale_learning_rates(optimizer)
    return optimizer


def origins(weights: dict[str, dict[str, Tensor]]) -> dict[str, str]:
    """The original's name of each of our parameters, by numbers that go through the translation."""
    names = [f"{entry}.{name}" for entry, state in weights.items() for name in state]
    numbered = {
        entry: {
            name: torch.full(weight.shape, float(names.index(f"{entry}.{name}")))
            for name, weight in state.items()
        }
        for entry, state in weights.items()
    }
    state = translated(numbered).state
    for kind in ("weight", "bias"):  # a difference of two rows of the same
        place = names.index(f"model.classifier.conv1_1.{kind}")
        state[f"decoder.classifier.{kind}"] = torch.full((1,), float(place))
    return {
        name: names[int(value.flatten()[0])]
        for name, value in state.items()
        if not any(new in name for new in ("hidden_states_norms", "swin.layernorm.", "num_batches"))
    }


def test_the_recipe_says_what_was_published() -> None:
    path = PACKAGE_CONFIGS / "modern" / "lavt_refcoco.yaml"
    config = with_bases(read_yaml(path), path.parent)
    trainer, data, model = config["trainer"], config["data"], config["model"]
    assert (trainer["max_epochs"], trainer["devices"], data["batch_size"]) == (40, 4, 8)
    assert trainer.get("gradient_clip_val") is None
    assert (data["image_size"], data["geometry"], data["resampling"]) == (480, "squash", "pillow")
    assert data["tokenizer"]["init_args"]["max_words"] == 20
    assert "augmentation" not in data
    assert model["optimizer"]["init_args"] == {"lr": 5e-5, "weight_decay": 0.01}
    assert model["lr_scheduler"] == {"class_path": "Polynomial", "init_args": {"power": 0.9}}
    assert model["backbone"]["init_args"]["drop_path"] == 0.3
    weights = model["loss"]["init_args"]
    assert (weights["positive_weight"], weights["negative_weight"]) == (1.1, 0.9)


def test_who_decays_and_who_is_trained(
    run: tuple[Fixture, Facts], weights: dict[str, dict[str, Tensor]], recipe: dict[str, Any]
) -> None:
    """For each parameter, what the original's optimiser did with it."""
    facts, original = run[1], origins(weights)
    segmenter = made(translated(weights))
    optimizer = optimizer_of(segmenter, recipe)
    without_decay = set(facts["groups"][0]["names"])
    assert facts["groups"][0]["weight_decay"] == 0
    assert all(group.get("weight_decay", 0.01) == 0.01 for group in facts["groups"][1:])
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    trained = {name: p for name, p in segmenter.named_parameters() if p.requires_grad}
    assert set(trained) <= set(original)
    for name, parameter in trained.items():
        group, theirs = groups[id(parameter)], original[name]
        assert (group["weight_decay"] == 0) == (theirs in without_decay), name
        assert (group["lr"] == 0) == (theirs in facts["not_in_the_optimizer"]), name


def test_losses_rates_and_weights(
    run: tuple[Fixture, Facts],
    weights: dict[str, dict[str, Tensor]],
    recipe: dict[str, Any],
    make_batch: Callable[..., Batch],
) -> None:
    fixture, facts = run
    segmenter = made(translated(weights)).train()
    assert not segmenter.text_encoder.trunk.training
    optimizer = optimizer_of(segmenter, recipe)
    schedule = Polynomial(optimizer, **recipe["lr_scheduler"]["init_args"])
    schedule.total_steps = STEPS
    loss_of = WeightedLogisticLoss(**recipe["loss"]["init_args"])
    targets = unpacked(fixture["in/targets"], 80)

    def batch_of(samples: Tensor) -> Batch:
        batch = make_batch([7] * len(samples), range(len(samples)), (96, 80))
        batch.tokens = fixture["in/ids"][samples]
        batch.token_mask = fixture["in/attention_mask"][samples] > 0
        batch.masks = targets[samples]
        segmenter.backbone.normalization = Given(fixture["in/images"][samples])
        return batch

    for step, samples in enumerate(fixture["in/order"].split(2)):
        base = [group["lr"] for group in optimizer.param_groups if group["lr"]]
        assert_close(torch.tensor(min(base)), fixture["out/lr"][step, 0].float(), rtol=1e-6, atol=0)
        batch = batch_of(samples)
        logits = segmenter(batch).logits
        loss = loss_of.of_masks(logits, batch.masks)
        assert_close(loss.double(), fixture["out/loss"][step], atol=0, rtol=1e-5)
        if step in (0, STEPS - 1):
            expected = fixture[f"out/logits_{'last' if step else 'first'}"]
            assert_close(logits, difference(expected), atol=1e-3, rtol=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 3 == 2:
            with torch.no_grad():
                found = segmenter.eval()(batch_of(torch.arange(6))).logits > 0
            inside, union = (
                pixels.flatten(1).sum(1).double() for pixels in (found & targets, found | targets)
            )
            figures = torch.stack([(inside / union).mean(), inside.sum() / union.sum()])
            assert_close(100 * figures, fixture["out/validation"][step // 3], atol=0.05, rtol=0)
            segmenter.train()
    _compare(segmenter, weights, under(fixture, "w_final/"), facts)


def _compare(
    segmenter: Segmenter,
    weights: dict[str, dict[str, Tensor]],
    final: Fixture,
    facts: Facts,
) -> None:
    """What the weights became, and that those which are not trained stayed."""
    whole = {
        entry: {name: final.get(f"{entry}/{name}", weight) for name, weight in state.items()}
        for entry, state in weights.items()
    }
    expected, original = translated(whole).state, origins(weights)
    known = {name.replace("/", ".", 1) for name in final}
    compared = [name for name, theirs in original.items() if theirs in known]
    assert len(compared) >= len(final)
    state = segmenter.state_dict()
    for name in compared:
        assert_close(state[name], expected[name], atol=5e-5, rtol=1e-3, msg=name)
    for name, theirs in original.items():
        if theirs in facts["not_in_the_optimizer"]:
            assert torch.equal(state[name], expected[name]), name
