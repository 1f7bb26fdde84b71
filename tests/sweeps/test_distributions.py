"""Distributions against scipy's, and the draws of a random search."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from refseg.errors import ConfigError
from refseg.sweeps.distributions import Distribution, read_distribution
from refseg.sweeps.drawing import draw

SHARES = [0.001, 0.2, 0.5, 0.77, 0.999]
RANGE = {"min": 1e-4, "max": 0.1}
CASES: list[tuple[dict[str, Any], Any]] = [
    ({"min": 0.5, "max": 2.0}, stats.uniform(0.5, 1.5)),
    ({"distribution": "uniform", "min": 0, "max": 2}, stats.uniform(0, 2)),
    ({"distribution": "log_uniform_values", **RANGE}, stats.loguniform(1e-4, 0.1)),
    ({"distribution": "inv_log_uniform_values", **RANGE}, stats.loguniform(1e-4, 0.1)),
    ({"distribution": "log_uniform", "min": -2, "max": 1}, stats.loguniform(np.e**-2, np.e)),
    ({"distribution": "inv_log_uniform", "min": -2, "max": 1}, stats.loguniform(1 / np.e, np.e**2)),
    ({"distribution": "normal", "mu": 3, "sigma": 2}, stats.norm(3, 2)),
    ({"distribution": "log_normal"}, stats.lognorm(1)),
    ({"distribution": "beta", "a": 2, "b": 5}, stats.beta(2, 5)),
]


@pytest.mark.parametrize(("form", "truth"), CASES, ids=lambda value: str(value)[:40])
def test_quantiles_are_those_of_scipy(
    form: dict[str, Any], truth: stats.distributions.rv_frozen
) -> None:
    found = [read_distribution("p", form).quantile(share) for share in SHARES]
    assert found == pytest.approx(truth.ppf(SHARES), rel=1e-5)


@pytest.mark.parametrize("form", [{"min": 0.1234567891, "max": 0.1234567899}, {**RANGE}])
def test_values_never_leave_the_range(form: dict[str, float]) -> None:
    for kind in ("uniform", "log_uniform_values"):
        for share in (1e-12, 0.5, 1 - 1e-12):
            assert form["min"] <= Distribution(kind, form).quantile(share) <= form["max"]


def test_whole_numbers_and_multiples() -> None:
    whole = read_distribution("p", {"min": 3, "max": 6})
    assert [whole.quantile(share) for share in (0.0, 0.24, 0.26, 0.99)] == [3, 3, 4, 6]
    assert all(type(whole.quantile(share)) is int for share in SHARES)
    form = {"distribution": "q_log_uniform_values", "min": 16, "max": 256, "q": 16}
    assert read_distribution("p", form).quantile(0.5) == 64
    form = {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}
    assert read_distribution("p", form).quantile(0.31) == 0.3


def test_probabilities_and_null() -> None:
    form = {"values": ["a", None, 3], "probabilities": [0.2, 0.5, 0.3]}
    found = read_distribution("p", form)
    assert [found.quantile(share) for share in (0.1, 0.21, 0.69, 0.71)] == ["a", None, None, 3]
    counted = Counter(found.quantile((one + 0.5) / 1000) for one in range(1000))
    assert counted == {"a": 200, None: 500, 3: 300}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"min": 1}, "p: expected `value`"),
        ({"distribution": "cauchy"}, "p: expected `value`"),
        ({"min": 2, "max": 1}, "expected min below max"),
        ({"min": "1e-4", "max": 1}, "min: expected a number"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "min: expected more than 0"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q: expected more than 0"),
        ({"distribution": "int_uniform", "min": 0, "max": 1.5}, "max: expected a whole number"),
        ({"distribution": "normal", "min": 0}, "normal has no other keys and perhaps mu, sigma"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "probabilities: expected 2 numbers"),
    ],
)
def test_says_what_is_wrong(form: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_distribution("p", form)


SPACE = {
    "lr": Distribution("log_uniform_values", {"min": 1e-4, "max": 1e-1}),
    "width": Distribution("categorical", {"values": (16, 32)}),
}


def test_draws_are_repeatable_and_more_begin_with_fewer() -> None:
    many = draw(SPACE, 20, seed=3)
    assert many[:5] == draw(SPACE, 5, seed=3)
    assert many != draw(SPACE, 20, seed=4)
    added = draw({**SPACE, "dropout": Distribution("uniform", {"min": 0, "max": 1})}, 20, seed=3)
    assert [{name: one[name] for name in SPACE} for one in added] == many


def test_draws_follow_the_distribution() -> None:
    rates = [one["lr"] for one in draw(SPACE, 500, seed=0)]
    assert stats.kstest(rates, stats.loguniform(1e-4, 1e-1).cdf).pvalue > 0.01


def test_no_two_draws_are_alike() -> None:
    few = {"a": Distribution("categorical", {"values": (1, 2, None)})}
    assert sorted(str(one["a"]) for one in draw(few, 10, seed=0)) == ["1", "2", "None"]
