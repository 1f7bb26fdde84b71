"""What parameters explain: by hand, by scipy, and by all orders that chance can give."""

import random
from itertools import permutations
from statistics import mean
from typing import Any

import pytest
from scipy.stats import rankdata, spearmanr

from refseg.sweeps.importance import importance, ranks


def test_ranks_are_those_of_scipy() -> None:
    values = [random.Random(1).choice([0.1, 0.2, 0.3]) for _ in range(9)]
    assert ranks(values) == pytest.approx(rankdata(values).tolist())


def test_a_number_by_its_rank_correlation() -> None:
    generator = random.Random(2)
    rates = [generator.choice([1, 2, 3, 5]) * 0.001 for _ in range(11)]
    values = [generator.random() - rate for rate in rates]
    (found,) = importance([{"lr": rate} for rate in rates], values, ["lr"])
    expected = spearmanr(rates, values).statistic
    assert found.correlation == pytest.approx(expected)
    assert found.share == pytest.approx(expected**2)
    assert found.runs == 11


def test_a_name_by_its_correlation_ratio() -> None:
    # Ranks 1, 2 | 3, 6 | 4, 5 around 3.5: between 2·2² + 2·1² + 2·1² = 12 of 17.5.
    names = ["a", "a", "b", "b", "c", "c"]
    values = [0.1, 0.2, 0.3, 0.9, 0.5, 0.6]
    (found,) = importance([{"fusion": name} for name in names], values, ["fusion"])
    assert found.measure == "correlation ratio"
    assert found.share == pytest.approx(12 / 17.5)
    assert found.correlation is None


def test_what_chance_explains_is_the_mean_over_all_orders() -> None:
    runs = [{"lr": lr, "flip": lr > 2, "level": str(lr % 3)} for lr in range(6)]
    orders = permutations(map(float, range(6)))
    explained = [importance(runs, order, ["lr", "flip", "level"]) for order in orders]
    for name in ("lr", "flip", "level"):
        own = [one for found in explained for one in found if one.parameter == name]
        assert mean(one.share for one in own) == pytest.approx(own[0].by_chance)


def test_the_most_important_comes_first_and_what_cannot_be_told_is_left_out() -> None:
    pairs = zip((2, 1, 4, 3), range(4), strict=True)
    runs: list[dict[str, Any]] = [{"noise": noise, "lr": lr, "same": 1} for noise, lr in pairs]
    found = importance(runs, [0.1, 0.2, 0.3, 0.4], ["noise", "lr", "same"])
    assert [one.parameter for one in found] == ["lr", "noise"]
    assert importance(runs, [0.1] * 4, ["lr"]) == []
    assert importance(runs[:3], [0.1, 0.2, 0.3], ["lr"]) == [], "three runs say nothing"
    runs[0]["lr"] = None  # null beside numbers has no place in their order
    assert importance(runs, [0.1, 0.2, 0.3, 0.4], ["lr"])[0].measure == "correlation ratio"
