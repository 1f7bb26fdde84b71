"""From what a sweep file says of a parameter to values that are drawn, as W&B's schema has it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Any

from refseg.errors import ConfigError

_RANGE = {"min", "max"}
# The keys beside `distribution`: those that must be there, and those that may be, with defaults.
_KEYS: dict[str, tuple[set[str], dict[str, float]]] = {
    "constant": ({"value"}, {}),
    "categorical": ({"values"}, {}),
    "categorical_w_probabilities": ({"values", "probabilities"}, {}),
    "int_uniform": (_RANGE, {}),
    "uniform": (_RANGE, {}),
    "q_uniform": (_RANGE, {"q": 1}),
    "log_uniform": (_RANGE, {}),
    "q_log_uniform": (_RANGE, {"q": 1}),
    "log_uniform_values": (_RANGE, {}),
    "q_log_uniform_values": (_RANGE, {"q": 1}),
    "inv_log_uniform": (_RANGE, {}),
    "inv_log_uniform_values": (_RANGE, {}),
    "normal": (set(), {"mu": 0, "sigma": 1}),
    "q_normal": (set(), {"mu": 0, "sigma": 1, "q": 1}),
    "log_normal": (set(), {"mu": 0, "sigma": 1}),
    "q_log_normal": (set(), {"mu": 0, "sigma": 1, "q": 1}),
    "beta": (set(), {"a": 1, "b": 1}),
    "q_beta": (set(), {"a": 1, "b": 1, "q": 1}),
}
_SHORT, _LONG = 6, 12  # significant digits: of a value that is drawn, and of a multiple of `q`


@dataclass(frozen=True)
class Distribution:
    """What a parameter's values are drawn from.

    Args:
        kind: W&B's name, such as `log_uniform_values`.
        options: what the kind needs, such as `min` and `max`.

    References:
        W&B's schema of sweeps, https://github.com/wandb/sweeps (`config/schema.json`).
    """

    kind: str
    options: Mapping[str, Any]

    def quantile(self, share: float) -> Any:  # noqa: ANN401 - any YAML value
        """The value below which a share of all draws lies.

        Numbers have six significant digits, so that a command line stays readable, and never leave
        the range.

        Args:
            share: above 0 and below 1.

        Example:
            >>> Distribution("log_uniform_values", {"min": 1e-4, "max": 1e-2}).quantile(0.5)
            0.001
            >>> Distribution("q_uniform", {"min": 0, "max": 100, "q": 16}).quantile(0.3)
            32
        """
        options = self.options
        if self.kind == "constant":
            return options["value"]
        if self.kind == "categorical":
            return options["values"][int(share * len(options["values"]))]
        if self.kind == "categorical_w_probabilities":
            reached = list(accumulate(options["probabilities"]))
            share *= reached[-1]  # 1, but for rounding
            return next(v for v, top in zip(options["values"], reached, strict=True) if share < top)
        if self.kind == "int_uniform":
            low, high = options["min"], options["max"]
            return low + int(share * (high - low + 1))
        value = self._number(self.kind.removeprefix("q_"), share)
        step = options.get("q")
        if step is None:
            return self._within(_rounded(value, _SHORT))
        multiple = round(value / step) * step
        return multiple if isinstance(step, int) else _rounded(multiple, _LONG)

    def _number(self, kind: str, share: float) -> float:
        options = self.options
        if kind in ("normal", "log_normal"):
            if options["sigma"] == 0:
                value = float(options["mu"])
            else:
                value = NormalDist(options["mu"], options["sigma"]).inv_cdf(share)
            return math.exp(value) if kind == "log_normal" else value
        if kind == "beta":
            from scipy.stats import beta  # takes a second, which others need not wait for

            return float(beta.ppf(share, options["a"], options["b"]))
        low, high = options["min"], options["max"]
        if kind.endswith("_values"):
            low, high = math.log(low), math.log(high)
        if kind == "inv_log_uniform":  # of 1/x the logarithm is uniform
            return math.exp(-(high - share * (high - low)))
        value = low + share * (high - low)
        return value if kind == "uniform" else math.exp(value)

    def _within(self, value: float) -> float:
        if self.kind == "uniform" or self.kind.endswith("_values"):
            return float(min(max(value, self.options["min"]), self.options["max"]))
        return value


def read_distribution(place: str, form: Mapping[str, Any]) -> Distribution:
    """What a sweep file says of a parameter whose values are drawn.

    Without `distribution`, the keys tell which it is, as in W&B: `value`, `values` (with
    `probabilities` or without), or `min` and `max`, which are a range of whole numbers where both
    are.

    Args:
        place: file and key, for messages.
        form: what stands there.

    Raises:
        ConfigError: it is no distribution.
    """
    options = {str(key): value for key, value in form.items() if key != "distribution"}
    kind = form.get("distribution", _usual(options))
    if kind == "categorical" and "probabilities" in options:
        kind = "categorical_w_probabilities"
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ConfigError(
            f"{place}: expected `value`, `values`, `min` and `max`, or a `distribution` among "
            f"{', '.join(_KEYS)}; got {dict(form)!r}."
        )
    needed, defaults = _KEYS[kind]
    if not needed <= options.keys() <= needed | defaults.keys():
        may = f" and perhaps {', '.join(defaults)}" if defaults else ""
        raise ConfigError(
            f"{place}: {kind} has {', '.join(sorted(needed)) or 'no other keys'}{may}; got "
            f"{', '.join(sorted(options)) or 'none'}."
        )
    options = {**defaults, **options}
    if "values" in options:
        options["values"] = read_values(place, options["values"])
        if "probabilities" in options:
            _check_probabilities(place, options)
    elif kind != "constant":
        _check_numbers(place, kind, options)
    return Distribution(kind, options)


def read_values(place: str, values: object) -> tuple[Any, ...]:
    """A list of different values.

    Args:
        place: file and key, for messages.
        values: what stands there.

    Raises:
        ConfigError: it is no such list.
    """
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{place}.values: expected a list with a value, got {values!r}.")
    if len({repr(value) for value in values}) < len(values):
        raise ConfigError(f"{place}.values: a value stands there twice: {values!r}.")
    return tuple(values)


def _usual(options: Mapping[str, Any]) -> str | None:
    if "value" in options:
        return "constant"
    if "values" in options:
        return "categorical"
    if options.keys() == _RANGE:
        whole = all(type(value) is int for value in options.values())
        return "int_uniform" if whole else "uniform"
    return None


def _check_probabilities(place: str, options: Mapping[str, Any]) -> None:
    given = options["probabilities"]
    number = len(options["values"])
    numbers = isinstance(given, list) and all(is_number(one) and one >= 0 for one in given)
    if not numbers or len(given) != number or not math.isclose(sum(given), 1.0, rel_tol=1e-6):
        raise ConfigError(
            f"{place}.probabilities: expected {number} numbers from 0 that add up to 1, one for "
            f"each value; got {given!r}."
        )


def _check_numbers(place: str, kind: str, options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if not is_number(value) or (kind == "int_uniform" and type(value) is not int):
            whole = "whole " if kind == "int_uniform" else ""
            raise ConfigError(f"{place}.{name}: expected a {whole}number, got {value!r}.")
    positive = {"q", "a", "b"} | ({"min"} if kind.endswith("_values") else set())
    for name in positive & options.keys():
        if options[name] <= 0:
            raise ConfigError(f"{place}.{name}: expected more than 0, got {options[name]!r}.")
    if options.get("sigma", 0) < 0:
        raise ConfigError(f"{place}.sigma: expected 0 or more, got {options['sigma']!r}.")
    if options.keys() >= _RANGE and not options["min"] < options["max"]:
        raise ConfigError(
            f"{place}: expected min below max, got {options['min']!r} and {options['max']!r}."
        )


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
