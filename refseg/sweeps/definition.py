"""A sweep file: the format of W&B, read here so that it also runs without W&B."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from refseg.errors import ConfigError

# Of W&B's schema, without what is for launch queues and schedulers of one's own.
KEYS = (
    *("apiVersion", "command", "controller", "description", "early_terminate", "entity", "kind"),
    *("method", "metric", "name", "parameters", "program", "project", "run_cap"),
)
GOALS = ("minimize", "maximize")


@dataclass(frozen=True)
class Sweep:
    """A grid of runs: every combination of the parameters' values, each one command.

    Args:
        path: the file, for messages.
        name: of the sweep; the file's stem where it gives none.
        program: what `${program}` stands for.
        command: words and macros, as in the file.
        parameters: the values of each parameter, in the file's order.
        metric: the figure of merit, such as `val/overall_iou`; None where the file names none.
        maximize: whether more of `metric` is better.
        run_cap: at most so many runs; None for all.
        early_terminate: whether the file asks W&B to stop hopeless runs (a grid run here is never).
    """

    path: Path
    name: str
    program: str
    command: tuple[str, ...]
    parameters: Mapping[str, tuple[Any, ...]]
    metric: str | None = None
    maximize: bool = False
    run_cap: int | None = None
    early_terminate: bool = False

    def combinations(self) -> list[dict[str, Any]]:
        """Every combination of the grid; the last parameter of the file varies fastest.

        Example:
            >>> grid = {"seed_everything": (0, 1), "model.fusion": ("a.yaml", "b.yaml")}
            >>> sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), grid)
            >>> [tuple(combination.values()) for combination in sweep.combinations()]
            [(0, 'a.yaml'), (0, 'b.yaml'), (1, 'a.yaml'), (1, 'b.yaml')]
        """
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


def read_sweep(path: Path) -> Sweep:
    """Read a W&B sweep file that asks for a grid.

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
    _check_method(path, content.get("method"))
    metric, maximize = _read_metric(path, content.get("metric"))
    run_cap = content.get("run_cap")
    if run_cap is not None and (type(run_cap) is not int or run_cap < 1):
        raise ConfigError(f"{path}: run_cap: expected a whole number from 1, got {run_cap!r}.")
    return Sweep(
        path=path,
        name=str(content.get("name") or path.stem),
        program=_read_program(path, content.get("program")),
        command=_read_command(path, content.get("command")),
        parameters=_read_parameters(path, content.get("parameters")),
        metric=metric,
        maximize=maximize,
        run_cap=run_cap,
        early_terminate=bool(content.get("early_terminate")),
    )


def _check_method(path: Path, method: object) -> None:
    if method == "grid":
        return
    if method in ("random", "bayes", "custom"):
        raise ConfigError(
            f"{path}: method: only W&B can run a {method} search, because its server chooses the "
            f"next run (`wandb sweep {path}`, then `wandb agent`); here use `method: grid`."
        )
    raise ConfigError(f"{path}: method: expected grid, got {method!r}.")


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


def _read_parameters(path: Path, parameters: object) -> dict[str, tuple[Any, ...]]:
    if not isinstance(parameters, dict) or not parameters:
        raise ConfigError(
            f"{path}: parameters: expected names with `value` or `values`, got {parameters!r}."
        )
    return {
        str(name): _read_values(f"{path}: parameters.{name}", form)
        for name, form in parameters.items()
    }


def _read_values(place: str, form: object) -> tuple[Any, ...]:
    """The values of one parameter in a grid.

    Args:
        place: file and key, for messages.
        form: what the file says of the parameter.
    """
    if not isinstance(form, dict):
        raise ConfigError(f"{place}: expected `value: …` or `values: […]`, got {form!r}.")
    if "parameters" in form:
        raise ConfigError(
            f"{place}: nested parameters are not options of the command line; "
            "write the dotted name, such as model.fusion."
        )
    keys = set(form)
    if keys == {"value"} or (
        keys == {"value", "distribution"} and form["distribution"] == "constant"
    ):
        return (form["value"],)
    if keys == {"values"} or (
        keys == {"values", "distribution"} and form["distribution"] == "categorical"
    ):
        values = form["values"]
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{place}.values: expected a list with a value, got {values!r}.")
        if len({repr(value) for value in values}) < len(values):
            raise ConfigError(f"{place}.values: a value stands there twice: {values!r}.")
        return tuple(values)
    raise ConfigError(
        f"{place}: a grid knows `value` and `values`, got {', '.join(sorted(map(str, keys)))}; "
        "ranges and distributions are drawn from by W&B only."
    )


def _stem(value: object) -> str:
    text = in_words(value)
    return Path(text).stem if text.endswith((".yaml", ".yml")) else text
