"""A sweep file: the format of W&B, read here so that it also runs without W&B."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from refseg.errors import ConfigError
from refseg.sweeps.distributions import read_distribution, read_values
from refseg.sweeps.drawing import draw
from refseg.sweeps.hyperband import Hyperband, read_hyperband

# Of W&B's schema, without what is for launch queues and schedulers of one's own.
KEYS = (
    *("apiVersion", "command", "controller", "description", "early_terminate", "entity", "kind"),
    *("method", "metric", "name", "parameters", "program", "project", "run_cap"),
)
GOALS = ("minimize", "maximize")
METHODS = ("grid", "random", "bayes")


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep file: combinations of the parameters' values, each one command.

    They are all of them (a grid), or some that were drawn (a random search).

    Args:
        path: the file, for messages.
        name: of the sweep; the file's stem where it gives none.
        program: what `${program}` stands for.
        command: words and macros, as in the file.
        parameters: the values of each parameter, in the file's order.
        metric: the figure of merit, such as `val/overall_iou`; None where the file names none.
        maximize: whether more of `metric` is better.
        run_cap: at most so many runs; None for all.
        stopping: of hopeless runs; None: every run goes to its end.
        method: grid, random or bayes, of which the last is a random search here.
        drawn: the combinations, where they were drawn; then `parameters` are the values in them.
    """

    path: Path
    name: str
    program: str
    command: tuple[str, ...]
    parameters: Mapping[str, tuple[Any, ...]]
    metric: str | None = None
    maximize: bool = False
    run_cap: int | None = None
    stopping: Hyperband | None = None
    method: str = "grid"
    drawn: tuple[Mapping[str, Any], ...] | None = None

    def combinations(self) -> list[dict[str, Any]]:
        """What was drawn, or the whole grid; the last parameter of the file varies fastest there.

        Example:
            >>> grid = {"seed_everything": (0, 1), "model.fusion": ("a.yaml", "b.yaml")}
            >>> sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), grid)
            >>> [tuple(combination.values()) for combination in sweep.combinations()]
            [(0, 'a.yaml'), (0, 'b.yaml'), (1, 'a.yaml'), (1, 'b.yaml')]
        """
        if self.drawn is not None:
            return [dict(one) for one in self.drawn]
        values = product(*self.parameters.values())
        grid = [dict(zip(self.parameters, row, strict=True)) for row in values]
        return grid[: self.run_cap]

    def varied(self) -> list[str]:
        """The parameters with more than one value."""
        return [name for name, values in self.parameters.items() if len(values) > 1]

    def settings(self) -> list[str]:
        """The parameters that are compared: those varied, but the seed, which is averaged over."""
        return [name for name in self.varied() if not is_seed(name)]

    def title(self, parameter: str) -> str:
        """A parameter's short name: its last part, where that is unambiguous.

        Example:
            >>> grid = {"model.fusion": (1,), "data.size": (1,), "model.size": (1,)}
            >>> sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), grid)
            >>> [sweep.title(name) for name in grid]
            ['fusion', 'data.size', 'model.size']
        """
        if is_seed(parameter):
            return "seed"
        last = [name.rpartition(".")[2] for name in self.parameters]
        short = parameter.rpartition(".")[2]
        return short if last.count(short) == 1 else parameter

    def label(self, parameter: str, value: Any) -> str:  # noqa: ANN401 - any YAML value
        """A value's short name: of a config file its stem, where that is unambiguous."""
        values = self.parameters[parameter]
        short = [_stem(other) for other in values]
        return _stem(value) if short.count(_stem(value)) == 1 else in_words(value)


def is_seed(parameter: str) -> bool:
    """Whether a parameter only says which random numbers are drawn."""
    return parameter.rpartition(".")[2] in {"seed", "seed_everything"}


def in_words(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A value as a word of a command line, which is read as YAML.

    W&B's agent writes it as Python does, which is another value where there is null in it.

    Example:
        >>> in_words(True), in_words([1, "a"]), in_words(None), in_words({"a": [None]})
        ('True', "[1, 'a']", 'null', '{"a": [null]}')
    """
    text = str(value)
    if isinstance(value, str):
        return text
    try:
        is_same = yaml.safe_load(text) == value
    except yaml.YAMLError:
        is_same = False
    return text if is_same else json.dumps(value, default=str)


def read_sweep(path: Path, seed: int = 0) -> Sweep:
    """Read a W&B sweep file.

    A Bayesian search is read as a random one: W&B's server chooses each run after those before it,
    while here all runs are known from the start.

    Args:
        path: of the file.
        seed: of the values that are drawn, for `method: random` and `method: bayes`.

    Raises:
        ConfigError: the file is no sweep file, or asks for what only W&B's server can do.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected a sweep with `method`, `program`, `command` and `parameters`, "
            f"got {type(content).__name__}."
        )
    if unknown := sorted(str(key) for key in content if key not in KEYS):
        raise ConfigError(
            f"{path}: unknown key {', '.join(unknown)}; a sweep has {', '.join(KEYS)}."
        )
    method = content.get("method")
    _check_method(path, method)
    metric, maximize = _read_metric(path, content.get("metric"))
    run_cap = content.get("run_cap")
    if run_cap is not None and (type(run_cap) is not int or run_cap < 1):
        raise ConfigError(f"{path}: run_cap: expected a whole number from 1, got {run_cap!r}.")
    forms = _flat(path, content.get("parameters"))
    drawn = None if method == "grid" else _draw(path, forms, run_cap, seed)
    stopping = read_hyperband(path, content.get("early_terminate"))
    if stopping is not None and metric is None:
        raise ConfigError(
            f"{path}: early_terminate: expected a `metric` that tells good runs from bad ones, "
            "with its `name` and `goal`; got none."
        )
    return Sweep(
        path=path,
        name=str(content.get("name") or path.stem),
        program=_read_program(path, content.get("program")),
        command=_read_command(path, content.get("command")),
        parameters=_grid(path, forms) if drawn is None else values_of(drawn),
        metric=metric,
        maximize=maximize,
        run_cap=run_cap,
        stopping=stopping,
        method=str(method),
        drawn=drawn,
    )


def values_of(combinations: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The values of each parameter in some combinations, each once, in order of appearance."""
    return {
        name: tuple({repr(one[name]): one[name] for one in combinations}.values())
        for name in combinations[0]
    }


def _check_method(path: Path, method: object) -> None:
    if method in METHODS:
        return
    if method == "custom":
        raise ConfigError(
            f"{path}: method: a custom search has a scheduler of its own; expected one of "
            f"{', '.join(METHODS)}."
        )
    raise ConfigError(f"{path}: method: expected one of {', '.join(METHODS)}, got {method!r}.")


def _read_program(path: Path, program: object) -> str:
    if not isinstance(program, str):
        raise ConfigError(f"{path}: program: expected a name such as refseg, got {program!r}.")
    return program


def _read_command(path: Path, command: object) -> tuple[str, ...]:
    if command is None:
        return ("${env}", "${interpreter}", "${program}", "${args}")  # W&B's default
    if not isinstance(command, list) or not command:
        raise ConfigError(f"{path}: command: expected a list of words and macros, got {command!r}.")
    return tuple(str(word) for word in command)


def _read_metric(path: Path, metric: object) -> tuple[str | None, bool]:
    if metric is None:
        return None, False
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise ConfigError(
            f"{path}: metric: expected `name` (such as val/overall_iou) and `goal`, got {metric!r}."
        )
    goal = metric.get("goal", "minimize")  # W&B's default
    if goal not in GOALS:
        raise ConfigError(f"{path}: metric.goal: expected one of {', '.join(GOALS)}, got {goal!r}.")
    return metric["name"], goal == "maximize"


def _flat(path: Path, parameters: object, before: str = "") -> dict[str, Mapping[str, Any]]:
    """What the file says of each parameter; of nested ones by their dotted name.

    Args:
        path: of the file, for messages.
        parameters: names, and what stands behind them.
        before: the beginning of the names, with a dot.
    """
    if not isinstance(parameters, dict) or not parameters:
        raise ConfigError(
            f"{path}: parameters: expected names with `value` or `values`, got {parameters!r}."
        )
    found: dict[str, Mapping[str, Any]] = {}
    for key, form in parameters.items():
        name = f"{before}{key}"
        if not isinstance(form, dict):
            raise ConfigError(
                f"{path}: parameters.{name}: expected `value: …` or `values: […]`, got {form!r}."
            )
        inner = _flat(path, form["parameters"], f"{name}.") if form.keys() == {"parameters"} else {}
        for one, content in (inner or {name: form}).items():
            if one in found:
                raise ConfigError(f"{path}: parameters.{one} stands there twice.")
            found[one] = content
    return found


def _draw(
    path: Path, forms: Mapping[str, Mapping[str, Any]], run_cap: int | None, seed: int
) -> tuple[Mapping[str, Any], ...]:
    if run_cap is None:
        raise ConfigError(
            f"{path}: run_cap: expected the number of runs of a random search, got none; W&B would "
            "go on without end."
        )
    space = {
        name: read_distribution(f"{path}: parameters.{name}", form) for name, form in forms.items()
    }
    return tuple(draw(space, run_cap, seed))


def _grid(path: Path, forms: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: _read_values(f"{path}: parameters.{name}", form) for name, form in forms.items()}


def _read_values(place: str, form: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of one parameter in a grid.

    Args:
        place: file and key, for messages.
        form: what the file says of the parameter.
    """
    keys = set(form)
    if keys == {"value"} or (
        keys == {"value", "distribution"} and form["distribution"] == "constant"
    ):
        return (form["value"],)
    if keys == {"values"} or (
        keys == {"values", "distribution"} and form["distribution"] == "categorical"
    ):
        return read_values(place, form["values"])
    raise ConfigError(
        f"{place}: a grid knows `value` and `values`, got {', '.join(sorted(map(str, keys)))}; "
        "for ranges and distributions use `method: random`."
    )


def _stem(value: object) -> str:
    text = in_words(value)
    return Path(text).stem if text.endswith((".yaml", ".yml")) else text
