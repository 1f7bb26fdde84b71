"""Other settings count when a training goes on; without any, nothing is touched."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)

from refseg.errors import CheckpointError, ConfigError
from refseg.models.parameters import parameter_groups
from refseg.training.changed_settings import adapt, changes, check_length, told_changes
from refseg.training.schedules import Cosine, MultiStep, Schedule

_USUAL = partial(AdamW, lr=0.1)


class Run:
    """A little training, with its settings in words as a checkpoint has them."""

    def __init__(
        self,
        optimizer: Callable[..., Optimizer] = _USUAL,
        schedule: Callable[..., LRScheduler] = Cosine,
        decayed: list[str] | None = None,
        length: int = 10,
    ) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        self.make_optimizer = optimizer
        self.optimizer = optimizer(parameter_groups(self.network, decayed))
        self.schedule = schedule(self.optimizer)
        if isinstance(self.schedule, Schedule):
            self.schedule.total_steps = length
        kind = type(self.optimizer)
        self.settings = {
            "optimizer": {
                "class_path": f"torch.optim.{kind.__name__}",
                "init_args": str(optimizer),
            },
            "lr_scheduler": str(schedule),
            "decayed": decayed,
        }

    def train(self, steps: int) -> list[float]:
        """The learning rate of each step."""
        rates = []
        for _ in range(steps):
            rates.append(self.optimizer.param_groups[0]["lr"])
            self.optimizer.zero_grad()
            self.network(torch.ones(2, 3)).square().mean().backward()
            self.optimizer.step()
            self.schedule.step()
        return rates

    def checkpoint(self) -> dict[str, Any]:
        return copy.deepcopy(
            {
                "global_step": self.schedule.last_epoch,
                "hyper_parameters": self.settings,
                "optimizer_states": [self.optimizer.state_dict()],
                "lr_schedulers": [self.schedule.state_dict()],
                "state_dict": self.network.state_dict(),
            }
        )

    def restore(self, checkpoint: dict[str, Any]) -> list[str]:
        parts = (self.network, self.optimizer, self.schedule)
        told = adapt(checkpoint, *parts, self.settings, self.make_optimizer)
        self.network.load_state_dict(checkpoint["state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer_states"][0])
        self.schedule.load_state_dict(checkpoint["lr_schedulers"][0])
        return told


def test_the_same_settings_leave_a_checkpoint_alone() -> None:
    run = Run()
    run.train(4)
    checkpoint = run.checkpoint()
    again = Run()
    assert again.restore(checkpoint) == []
    assert again.train(6) == run.train(6)
    for ours, theirs in zip(again.network.parameters(), run.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_longer_training_has_the_rates_of_its_own_length() -> None:
    run = Run(length=10)
    run.train(10)
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0)
    longer = Run(length=20)
    told = longer.restore(run.checkpoint())
    assert told == [
        "The schedule has 20 steps now, and had 10.",
        "After 10 steps the learning rate is 0.05.",
    ]
    expected = [0.1 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(10, 20)]
    assert longer.train(10) == pytest.approx(expected)
    assert longer.optimizer.state_dict()["state"][0]["step"] == 20, "its moments go on"


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule,
        Cosine,
        partial(MultiStep, milestones=[0.3, 0.8]),
        partial(StepLR, step_size=3, gamma=0.5),
        partial(ExponentialLR, gamma=0.9),
        partial(LinearLR, start_factor=0.2, total_iters=6),
        partial(PolynomialLR, total_iters=9, power=0.9),
        partial(CosineAnnealingLR, T_max=10, eta_min=0.01),
        partial(OneCycleLR, max_lr=1.0, total_steps=11),
    ],
    ids=lambda s: getattr(s, "func", s).__name__,
)
def test_a_new_rate_is_as_if_it_had_always_been_there(schedule: Callable[..., LRScheduler]) -> None:
    run = Run(schedule=schedule)
    run.train(4)
    checkpoint = run.checkpoint()
    if isinstance(run.schedule, OneCycleLR):  # which takes no notice of the optimizer's
        schedule = partial(OneCycleLR, max_lr=0.2, total_steps=11)
    always = Run(partial(AdamW, lr=0.02), schedule)
    expected = always.train(10)[4:]
    other = Run(partial(AdamW, lr=0.02), schedule)
    assert other.restore(checkpoint)
    assert other.train(6) == pytest.approx(expected)


def test_options_of_the_optimizer_count_in_each_group() -> None:
    run = Run(partial(AdamW, lr=0.1, weight_decay=0.3), decayed=["0.*"])
    run.train(3)
    other = Run(partial(AdamW, lr=0.1, weight_decay=0.7, betas=(0.5, 0.6)), decayed=["0.*"])
    other.restore(run.checkpoint())
    assert [g["weight_decay"] for g in other.optimizer.param_groups] == [0.7, 0.0]
    assert [g["betas"] for g in other.optimizer.param_groups] == [(0.5, 0.6)] * 2
    for ours, theirs in zip(other.network.parameters(), run.network.parameters(), strict=True):
        moments = other.optimizer.state[ours]["exp_avg"], run.optimizer.state[theirs]["exp_avg"]
        assert torch.equal(*moments)


def test_what_decays_may_change_and_each_parameter_keeps_its_state() -> None:
    run = Run(decayed=["1.weight"])
    run.train(3)
    other = Run(decayed=["0.bias", "1.bias"])
    other.restore(run.checkpoint())
    for ours, theirs in zip(other.network.parameters(), run.network.parameters(), strict=True):
        moments = other.optimizer.state[ours]["exp_avg"], run.optimizer.state[theirs]["exp_avg"]
        assert torch.equal(*moments)
    other.train(1)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (partial(AdamW, lr=0.1), partial(SGD, lr=0.3), "The state of AdamW means nothing to SGD"),
        (partial(SGD, lr=0.1), partial(AdamW, lr=0.3), "The state of SGD means nothing to AdamW"),
        (partial(Adam, lr=0.1), partial(Adam, lr=0.3, amsgrad=True), "keeps max_exp_avg_sq"),
        (partial(RMSprop, lr=0.1), partial(RMSprop, lr=0.3, centered=True), "keeps grad_avg"),
        (partial(SGD, lr=0.1), partial(SGD, lr=0.3, momentum=0.9), "After 4 steps"),
    ],
)
def test_another_optimizer_steps_at_its_own_rate(
    before: Callable[..., Optimizer], after: Callable[..., Optimizer], message: str
) -> None:
    run = Run(before)
    run.train(4)
    other = Run(after)
    told = other.restore(run.checkpoint())
    assert message in told[0]
    expected = [0.3 * (1 + math.cos(math.pi * step / 10)) / 2 for step in range(4, 7)]
    assert other.train(3) == pytest.approx(expected)


def test_a_schedule_that_is_over_too_soon() -> None:
    run = Run()
    run.train(6)
    short = Run(schedule=partial(OneCycleLR, max_lr=1.0, total_steps=4))
    with pytest.raises(ConfigError, match="6 steps that are done, got a OneCycleLR"):
        short.restore(run.checkpoint())
    with pytest.raises(ConfigError, match="over after 4 steps, and the training has 10"):
        check_length(short.schedule, 10)
    check_length(short.schedule, 4)
    check_length(run.schedule, 10**6)


def test_weights_alone_are_no_state() -> None:
    run = Run()
    with pytest.raises(CheckpointError, match=r"--model\.start_from"):
        run.restore({"state_dict": run.network.state_dict()})


def test_what_has_changed_is_named() -> None:
    before = {
        "seed_everything": 0,
        "trainer": {"max_epochs": 5, "callbacks": [1, (2, 3)]},
        "model": {
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1, "foreach": 0}},
            "loss": {"class_path": "refseg.losses.DiceLoss", "init_args": {}},
            "fusion": {"class_path": "refseg.models.fusion.ConcatFusion"},
        },
        "data": {"image_size": 320, "vocabulary_from": None},
    }
    now = copy.deepcopy(before)
    now["trainer"] = {"max_epochs": 9, "callbacks": [1, [2, 3]], "new": 1}
    now["model"]["optimizer"]["init_args"] = {"lr": 0.5}
    now["model"]["loss"] = {"class_path": "L", "init_args": {"weight": 2, "other": None}}
    now["model"]["fusion"] = None  # the network is checked elsewhere
    now["data"]["vocabulary_from"] = "a.ckpt"
    assert told_changes(before, before) is None
    assert told_changes(before, now) == (
        "Going on with other settings than before: trainer.max_epochs 5 -> 9; "
        "model.optimizer.lr 1 -> 0.5; model.loss DiceLoss() -> L(weight=2); "
        "data.vocabulary_from null -> a.ckpt (not used: the checkpoint has its own)"
    )
    assert [*changes({"a": [1, {"b": (2,)}]}, {"a": [1, {"b": [2]}]})] == []
    now["data"]["image_size"] = 512
    with pytest.raises(ConfigError, match=r"data\.image_size is 320 there and 512 here"):
        told_changes(before, now)
