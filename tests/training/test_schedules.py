"""Learning rates against their formulas."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import MultiStepLR

from refseg.errors import ConfigError
from refseg.training.schedules import Cosine, MultiStep, Polynomial, Schedule


def rates(schedule: Schedule, steps: int) -> list[float]:
    schedule.total_steps = steps
    seen = []
    for _ in range(steps + 1):
        seen.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return seen


def sgd(rate: float = 2.0) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def test_cosine_meets_its_formula() -> None:
    seen = rates(Cosine(sgd(), final=0.1), 10)
    expected = [2 * (0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2) for t in range(11)]
    assert seen == pytest.approx(expected)


def test_polynomial_is_the_papers() -> None:
    """RMI: (2.5e-4 - 1e-5) (1 - t / T) ** 0.9 + 1e-5."""
    seen = rates(Polynomial(sgd(2.5e-4), power=0.9, final=1e-5 / 2.5e-4), 50)
    expected = [(2.5e-4 - 1e-5) * (1 - t / 50) ** 0.9 + 1e-5 for t in range(51)]
    assert seen == pytest.approx(expected)


def test_polynomial_meets_the_original_schedule(shared: Path) -> None:
    fixture = np.load(shared / "parity" / "rmi_lr_schedule.npz")
    schedule = Polynomial(sgd(2.5e-4), power=0.9, final=1e-5 / 2.5e-4)
    key = {name.rpartition("/")[2]: fixture[name] for name in fixture.files}
    for step, expected in zip(key["steps"], key["lr"], strict=True):
        found = 2.5e-4 * schedule.decay(min(1.0, float(step) / 750_000))
        assert found == pytest.approx(float(expected), rel=1e-5)


def test_warmup_rises_linearly_then_decays_to_nothing() -> None:
    seen = rates(Cosine(sgd(), warmup=0.2), 20)
    assert seen[1:5] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert 0 < seen[0] < seen[1]
    assert seen[4:] == sorted(seen[4:], reverse=True)
    assert seen[-1] == pytest.approx(0)


def test_a_constant_schedule_is_constant() -> None:
    assert set(rates(Schedule(sgd()), 7)) == {2.0}


def torchs(milestones: list[int], gamma: float, steps: int) -> list[float]:
    schedule = MultiStepLR(sgd(), milestones, gamma)
    seen = []
    for _ in range(steps + 1):
        seen.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return seen


def test_a_tenth_from_epoch_35_of_50_as_cris() -> None:
    """7 steps an epoch."""
    seen = rates(MultiStep(sgd(), [0.7]), 350)
    assert seen == pytest.approx(torchs([245], 0.1, 350))


@settings(max_examples=30)
@given(
    milestones=st.lists(st.integers(1, 299), min_size=1, max_size=5, unique=True).map(sorted),
    gamma=st.floats(0.05, 1),
    as_shares=st.booleans(),
)
def test_milestones_of_a_published_length(
    milestones: list[int], gamma: float, as_shares: bool
) -> None:
    """In steps or in shares; a training that goes on for longer keeps its last rate."""
    chosen = [one / 300 if as_shares else float(one) for one in milestones]
    schedule = MultiStep(sgd(), chosen, gamma, steps=300)
    assert schedule.total_steps == 300
    seen = []
    for schedule.last_epoch in range(351):
        seen += schedule.get_lr()
    assert seen == pytest.approx(torchs(milestones, gamma, 350))


def test_cris_from_its_second_epoch_on(shared: Path) -> None:
    """In its first epoch CLIP learns at the full rate in theirs, by a slip."""
    with np.load(shared / "parity" / "modern" / "cris_lr_schedule.npz") as fixture:
        theirs = fixture["out/lr"]
    clip, rest = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [{"params": [clip], "lr": 1e-5}, {"params": [rest]}]
    schedule = MultiStep(torch.optim.Adam(groups, lr=1e-4), [0.7])
    schedule.total_steps = 50 * 7  # of seven steps each
    ours = []
    for epoch in range(50):
        schedule.last_epoch = 7 * epoch
        ours.append(schedule.get_lr())
    assert np.array(ours[1:]) == pytest.approx(theirs[1:])
    assert ours[0] == pytest.approx([1e-5, 1e-4])
    assert theirs[0].tolist() == [1e-4, 1e-4]


def test_rela_in_its_own_steps() -> None:
    schedule = MultiStep(sgd(), [110_000.0, 140_000.0], steps=150_000)
    for step, expected in {109_999: 2, 110_000: 0.2, 139_999: 0.2, 140_000: 0.02}.items():
        schedule.last_epoch = step
        assert schedule.get_lr() == pytest.approx([expected])


def test_milestones_after_a_warm_up_count_from_the_beginning() -> None:
    seen = rates(MultiStep(sgd(), [0.5], warmup=0.3), 10)
    assert seen == pytest.approx([0.02, 2 / 3, 4 / 3, 2, 2, *[0.2] * 6])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"milestones": [35.0]}, r"shares of the training, such as 0\.7, got \[35\.0\]"),
        ({"milestones": []}, r"one or more growing milestones .* before 1, got \[\]"),
        ({"milestones": [0.0]}, r"after the warm-up \(0\) and before 1, got \[0\.0\]"),
        ({"milestones": [-0.5]}, "growing milestones"),
        ({"milestones": [0.7, 0.7]}, r"got \[0\.7, 0\.7\]"),
        ({"milestones": [0.7, 0.3]}, "growing milestones"),
        ({"milestones": [0.2], "warmup": 0.3}, r"after the warm-up \(0\.3\)"),
        ({"milestones": [100.0], "steps": 100}, r"in steps, before 100\), got \[100\.0\]"),
        ({"milestones": [float("nan")]}, "growing milestones"),
        ({"milestones": [0.5], "gamma": 0.0}, "gamma of MultiStep above 0, got 0"),
        ({"milestones": [0.5], "steps": 0}, "at least 1 step, got steps=0"),
    ],
)
def test_milestones_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MultiStep(sgd(), **options)
