"""Learning rates against their formulas."""

import math

import pytest
import torch

from refseg.training.schedules import Cosine, Polynomial, Schedule


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


def test_polynomial_meets_the_original_schedule(shared: object) -> None:
    from pathlib import Path

    import numpy as np

    fixture = np.load(Path(str(shared)) / "parity" / "rmi_lr_schedule.npz")
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
