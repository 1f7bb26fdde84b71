"""Commands of a sweep, against the agent of W&B."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from refseg.cli.configs.files import find_config
from refseg.cli.trainer.command_line import (
    log_to_sweep,
    value_of,
    with_options_of_sections,
)
from refseg.errors import ConfigError
from refseg.sweeps import Sweep, read_sweep
from refseg.sweeps.command import expand, on_this_machine

COMBINATION = {"model.fusion": "f/a.yaml", "deep": True, "flat": False, "sizes": [1, 2], "x": 1e-05}
# What Python writes otherwise than YAML, and a text in which its word for null stands.
NULLS = {
    "rate": None,
    "some": [None, 1, "it's"],
    "part": {"class_path": "A", "init_args": {"a": None, "b": False}},
    "text": "None of these",
}


def sweep_with(*command: str, combination: dict[str, Any] = COMBINATION) -> Sweep:
    """A sweep of one run."""
    parameters = {name: (value,) for name, value in combination.items()}
    return Sweep(Path("s.yaml"), "s", "train.py", command, parameters)


def as_wandb_agent(sweep: Sweep, combination: dict[str, Any]) -> list[str]:
    """What `wandb agent` would run, by W&B's own code for the arguments."""
    arguments = {name: {"value": value} for name, value in combination.items()}
    macros = create_sweep_command_args({"args": arguments})
    macros |= {"env": [], "interpreter": ["python"], "program": [sweep.program]}
    words: list[str] = []
    for word in create_sweep_command(list(sweep.command)):
        words += macros[word[2:-1]] if word.startswith("${") else [word]
    return words


NESTED = """
program: refseg
method: grid
command: ["${args}"]
parameters:
  model:
    parameters:
      optimizer: {parameters: {init_args: {parameters: {lr: {value: 0.02}}}}}
      fusion: {value: {class_path: FiLM}}
      learning_rate_factors: {value: {backbone.*: 0.5}}
  data.batch_size: {value: 4}
"""


@pytest.mark.parametrize(
    "macro", ["args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_json"]
)
def test_expands_as_the_agent_of_wandb(macro: str) -> None:
    sweep = sweep_with("${env}", "${interpreter}", "${program}", "--x", f"${{{macro}}}", "-y")
    assert expand(sweep, COMBINATION) == as_wandb_agent(sweep, COMBINATION)


@pytest.mark.parametrize("macro", ["args", "args_no_equals"])
def test_null_is_null_here_and_under_the_agent_of_wandb(
    macro: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    sweep = sweep_with("refseg", f"${{{macro}}}", combination=NULLS)
    for words in (expand(sweep, NULLS), as_wandb_agent(sweep, NULLS)):
        received = [*log_to_sweep(words)]
        values = {name: value_of(f"--{name}", received) for name in NULLS}
        assert {name: yaml.safe_load(str(value)) for name, value in values.items()} == NULLS


@pytest.mark.parametrize("macro", ["args", "args_no_equals"])
def test_nested_parameters_are_the_same_here_and_under_the_agent_of_wandb(
    macro: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    file = tmp_path / "s.yaml"
    file.write_text(NESTED)
    sweep = read_sweep(file)
    (combination,) = sweep.combinations()
    # As W&B's server gives them to its agent.
    given = {
        "model": {
            "optimizer": {"init_args": {"lr": 0.02}},
            "fusion": {"class_path": "FiLM"},
            "learning_rate_factors": {"backbone.*": 0.5},
        },
        "data.batch_size": 4,
    }
    words = as_wandb_agent(replace(sweep, command=(f"${{{macro}}}",)), given)
    received = with_options_of_sections(words)
    for name, value in combination.items():
        assert yaml.safe_load(str(value_of(f"--{name}", received))) == value
    names = {word.partition("=")[0] for word in received if word.startswith("--")}
    assert names == {f"--{name}" for name in combination}
    monkeypatch.delenv("WANDB_SWEEP_ID")
    assert with_options_of_sections(words) == words


def test_texts_stay_as_they_are_outside_of_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    assert log_to_sweep(["--name=None", "None"]) == ["--name=None", "None"]


def test_the_runs_of_the_package_are_those_of_wandb() -> None:
    sweep = read_sweep(find_config("sweeps/fusion.yaml"))
    for combination in sweep.combinations():
        assert expand(sweep, combination) == as_wandb_agent(sweep, combination)
    words = expand(sweep, sweep.combinations()[0])
    assert words[:4] == ["refseg", "fit", "--config", "comparison.yaml"]


def test_arguments_as_json_can_be_read_back() -> None:
    (text,) = expand(sweep_with("${args_json}"), COMBINATION)
    assert json.loads(text) == COMBINATION


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("refseg", "fit"), "expected \\${args} among its words"),
        (("refseg", "${argz}", "${args}"), "got \\${argz}"),
        (("refseg", "--x=${args}", "${args}"), "got --x=\\${args}"),
    ],
)
def test_refuses_a_command_that_would_not_do(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand(sweep_with(*command), COMBINATION)


def test_refseg_and_python_mean_this_installation() -> None:
    assert on_this_machine(["refseg", "fit"]) == [sys.executable, "-m", "refseg", "fit"]
    assert on_this_machine(["python", "a.py"]) == [sys.executable, "a.py"]
    assert on_this_machine(["julia", "refseg"]) == ["julia", "refseg"]
