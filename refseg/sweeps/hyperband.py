"""Which runs are not worth going on with: Hyperband, as W&B's sweeps have it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from refseg.errors import ConfigError

_KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
_LAST_BRACKET = 1_000_000_000


class Verdict(NamedTuple):
    """Why a run is stopped.

    Args:
        bracket: after so many values of the metric.
        value: of the run there.
        threshold: that it would have had to reach.
    """

    bracket: int
    value: float
    threshold: float


@dataclass(frozen=True)
class Hyperband:
    """At each bracket, runs go on that are among the best 1/eta of all that have come so far.

    A bracket is a number of values that a run has logged of the sweep's metric; with `refseg fit`
    it logs one at each validation. At each bracket, the values that all runs had there are put in
    order, and the one at place n/eta (rounded down, counted from 0) is the threshold. It is counted
    anew each time, so a run that was the first at a bracket may be stopped there later, while it
    has not reached the next one.

    Args:
        brackets: in ascending order.
        eta: the share that goes on is 1/eta.
        strict: a run is held to its value at the bracket; else to its best value so far.

    References:
        Li et al., Hyperband, JMLR 2018, https://arxiv.org/abs/1603.06560; the rule is that of
        https://github.com/wandb/sweeps (`hyperband_stopping.py`).
    """

    brackets: tuple[int, ...]
    eta: float = 3.0
    strict: bool = True

    def to_stop(
        self, curves: Mapping[str, Sequence[float]], running: Iterable[str], maximize: bool
    ) -> dict[str, Verdict]:
        """Which of the runs at work to stop.

        Args:
            curves: the values of the metric of each run, also of finished and stopped ones. Values
                that are not finite are passed over.
            running: names of the runs at work.
            maximize: whether more is better.

        Example:
            >>> curves = {"a": [9.0], "b": [8.0], "c": [7.0]}
            >>> Hyperband((1,), eta=3.0).to_stop(curves, ["a", "b"], maximize=False)
            {'a': Verdict(bracket=1, value=9.0, threshold=8.0)}
        """
        sign = -1.0 if maximize else 1.0
        costs = {
            name: [sign * value for value in curve if math.isfinite(value)]
            for name, curve in curves.items()
        }
        stopped = {}
        for name in running:
            own = costs.get(name, [])
            reached = [bracket for bracket in self.brackets if bracket <= len(own)]
            if not reached:
                continue
            threshold = self._threshold(reached[-1], costs.values())
            cost = own[reached[-1] - 1] if self.strict else min(own)
            if cost > threshold:
                stopped[name] = Verdict(reached[-1], sign * cost, sign * threshold)
        return stopped

    def _threshold(self, bracket: int, costs: Iterable[Sequence[float]]) -> float:
        there = sorted(cost[bracket - 1] for cost in costs if len(cost) >= bracket)
        return there[int(1 / self.eta * len(there))]


def read_hyperband(path: Path, form: object) -> Hyperband | None:
    """What a sweep file says of stopping runs early.

    Args:
        path: of the file, for messages.
        form: what stands there; None: nothing.

    Raises:
        ConfigError: it is not what W&B understands.
    """
    if not form:
        return None
    place = f"{path}: early_terminate"
    if not isinstance(form, dict) or form.get("type") != "hyperband":
        raise ConfigError(f"{place}: expected `type: hyperband` and `min_iter`, got {form!r}.")
    if unknown := sorted(str(key) for key in form if key not in _KEYS):
        raise ConfigError(
            f"{place}: unknown key {', '.join(unknown)}; hyperband has {', '.join(_KEYS)}."
        )
    eta, strict = form.get("eta", 3), form.get("strict", True)  # W&B's defaults
    if isinstance(eta, bool) or not isinstance(eta, int | float) or not 1 < eta < math.inf:
        raise ConfigError(f"{place}.eta: expected a number above 1, got {eta!r}.")
    if not isinstance(strict, bool):
        raise ConfigError(f"{place}.strict: expected true or false, got {strict!r}.")
    if "max_iter" not in form and "min_iter" not in form:
        raise ConfigError(f"{place}: expected `min_iter`, or `max_iter` and `s`, got {form!r}.")
    if "max_iter" in form and "s" not in form:
        raise ConfigError(f"{place}: with `max_iter` it needs `s`, the number of brackets.")
    numbers = {name: form[name] for name in ("min_iter", "max_iter", "s") if name in form}
    for name, value in numbers.items():
        if type(value) is not int or value < 1:
            raise ConfigError(f"{place}.{name}: expected a whole number from 1, got {value!r}.")
    if "max_iter" in numbers:
        brackets = _downwards(numbers["max_iter"], numbers["s"], float(eta))
    else:
        brackets = _upwards(numbers["min_iter"], float(eta))
    if not brackets:
        raise ConfigError(
            f"{place}: max_iter {numbers['max_iter']} divided by eta {eta} is below 1, so that no "
            "run would be stopped; make `max_iter` larger or `eta` smaller."
        )
    return Hyperband(tuple(brackets), float(eta), strict)


def _downwards(last: int, count: int, eta: float) -> list[int]:
    """`max_iter` divided by eta, once, twice, … `s` times."""
    brackets, bracket = list[int](), float(last)
    for _ in range(count):
        bracket /= eta
        if bracket < 1:
            break
        brackets.append(int(bracket))
    return sorted(brackets)


def _upwards(first: int, eta: float) -> list[int]:
    """`min_iter`, and what becomes of it when it is multiplied by eta again and again."""
    brackets, bracket = list[int](), float(first)
    while bracket < _LAST_BRACKET and len(brackets) < 100:
        brackets.append(int(bracket))
        bracket *= eta
    return brackets
