"""Sweep files: what is understood, and what is said about the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from refseg.cli.configs.files import PACKAGE_CONFIGS, find_config
from refseg.errors import ConfigError
from refseg.sweeps import Sweep, read_sweep

GOOD: dict[str, Any] = {
    "program": "refseg",
    "method": "grid",
    "command": ["${program}", "fit", "${args}"],
    "parameters": {"model.fusion": {"values": ["a.yaml", "b.yaml"]}, "lr": {"value": 0.1}},
}


def write(folder: Path, **changes: object) -> Path:
    """Write a sweep file; a change to None leaves the key out."""
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_reads_what_wandb_reads(tmp_path: Path) -> None:
    parameters = {
        "z": {"values": [1, None], "distribution": "categorical"},
        "a": {"value": [3, 4], "distribution": "constant"},
    }
    metric = {"name": "val/overall_iou", "goal": "maximize"}
    path = write(tmp_path, name="n", parameters=parameters, metric=metric, run_cap=1, entity="me")
    sweep = read_sweep(path)
    assert (sweep.name, sweep.metric, sweep.maximize) == ("n", "val/overall_iou", True)
    assert list(sweep.parameters.items()) == [("z", (1, None)), ("a", ([3, 4],))]
    assert sweep.combinations() == [{"z": 1, "a": [3, 4]}]


def test_fills_in_the_defaults_of_wandb(tmp_path: Path) -> None:
    sweep = read_sweep(write(tmp_path, command=None, metric={"name": "loss"}))
    assert sweep.name == "mine"
    assert sweep.command == ("${env}", "${interpreter}", "${program}", "${args}")
    assert not sweep.maximize


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "bayes"}, "run_cap: expected the number of runs of a random search"),
        ({"method": "custom"}, "method: a custom search has a scheduler of its own"),
        ({"method": "all"}, "method: expected one of grid, random, bayes, got 'all'"),
        ({"method": None}, "method: expected one of grid, random, bayes, got None"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1}}, "early_terminate: expected a"),
        ({"methods": "grid"}, "unknown key methods; a sweep has"),
        ({"program": None}, "program: expected a name"),
        ({"command": "refseg fit"}, "command: expected a list"),
        ({"run_cap": 0}, "run_cap: expected a whole number from 1, got 0"),
        ({"run_cap": True}, "run_cap: expected a whole number from 1, got True"),
        ({"metric": "loss"}, "metric: expected `name`"),
        ({"metric": {"name": "loss", "goal": "max"}}, "metric.goal: expected one of"),
        ({"parameters": None}, "parameters: expected names"),
        ({"parameters": {}}, "parameters: expected names"),
        ({"parameters": {"lr": 0.1}}, "parameters.lr: expected `value"),
        ({"parameters": {"lr": {"values": 0.1}}}, "parameters.lr.values: expected a list"),
        ({"parameters": {"lr": {"values": []}}}, "parameters.lr.values: expected a list"),
        ({"parameters": {"lr": {"values": [1, 2, 1]}}}, "parameters.lr.values: a value stands"),
        ({"parameters": {"lr": {"min": 0, "max": 1}}}, "parameters.lr: a grid knows"),
        (
            {"parameters": {"lr": {"values": [1], "distribution": "normal"}}},
            "parameters.lr: a grid knows `value` and `values`, got distribution, values",
        ),
        (
            {"parameters": {"model": {"parameters": {"lr": 1}}}},
            "parameters.model.lr: expected `value",
        ),
        (
            {"parameters": {"a": {"parameters": {"b": {"value": 1}}}, "a.b": {"value": 1}}},
            "parameters.a.b stands there twice",
        ),
    ],
)
def test_names_file_and_key_of_what_it_does_not_understand(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=re.escape(f"{path}: ") + re.escape(message)):
        read_sweep(path)


def test_a_nested_parameter_has_a_dotted_name(tmp_path: Path) -> None:
    inner = {"optimizer": {"parameters": {"lr": {"values": [0.1, None]}}}, "dim": {"value": 8}}
    sweep = read_sweep(write(tmp_path, parameters={"model": {"parameters": inner}}))
    assert sweep.parameters == {"model.optimizer.lr": (0.1, None), "model.dim": (8,)}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_search_has_as_many_runs_as_it_may(tmp_path: Path, method: str) -> None:
    parameters = {"lr": {"min": 0.0, "max": 1.0}, "fusion": {"values": ["a", "b"]}}
    path = write(tmp_path, method=method, parameters=parameters, run_cap=9)
    sweep = read_sweep(path)
    assert len(sweep.combinations()) == 9
    assert sweep.combinations() == read_sweep(path).combinations()
    assert sweep.combinations() != read_sweep(path, seed=1).combinations()
    assert set(sweep.parameters["fusion"]) == {"a", "b"}
    assert sweep.parameters["lr"] == tuple(one["lr"] for one in sweep.combinations())


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "\x00"])
def test_refuses_what_is_no_sweep(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        read_sweep(path)


def test_labels_are_short_where_they_are_unambiguous() -> None:
    grid = {"model.fusion": ("x/a.yaml", "y/a.yaml", "x/b.yaml"), "seed_everything": (0, 1)}
    sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), grid)
    assert sweep.title("model.fusion") == "fusion"
    assert sweep.title("seed_everything") == "seed"
    labels = [sweep.label("model.fusion", value) for value in grid["model.fusion"]]
    assert labels == ["x/a.yaml", "y/a.yaml", "b"]
    assert sweep.settings() == ["model.fusion"]


KEYS_FOR_WANDB = {
    "uniform": {"min", "max"},
    "log_uniform_values": {"min", "max"},
    "q_uniform": {"min", "max", "q"},
}


@pytest.mark.parametrize("path", sorted((PACKAGE_CONFIGS / "sweeps").glob("*.yaml")), ids=str)
def test_sweeps_of_the_package_are_valid_for_wandb(path: Path) -> None:
    """The rules of W&B's JSON schema, as far as our files use it.

    The schema is in the package `sweeps`, which cannot be installed beside numpy 2.
    """
    content = yaml.safe_load(path.read_text())
    texts = {"program", "name", "description", "method"}
    search = {"run_cap", "early_terminate"} if path.stem == "tuning" else set()
    assert set(content) == texts | {"metric", "command", "parameters"} | search
    assert all(isinstance(content[key], str) for key in texts)
    assert content["method"] == ("bayes" if search else "grid")
    assert type(content.get("run_cap", 1)) is int
    stopping = content.get("early_terminate", {"type": "hyperband", "min_iter": 1})
    assert stopping.keys() <= {"type", "min_iter", "max_iter", "s", "eta", "strict"}
    assert stopping["type"] == "hyperband"
    assert type(stopping["min_iter"]) is int
    assert set(content["metric"]) == {"name", "goal"}
    assert content["metric"]["goal"] in {"minimize", "maximize"}
    assert isinstance(content["command"], list)
    for name, form in content["parameters"].items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name)
        if search:
            kind = form.get("distribution", "uniform")
            assert form.keys() - {"distribution"} == KEYS_FOR_WANDB[kind]
            assert all(isinstance(form[key], int | float) for key in KEYS_FOR_WANDB[kind])
            # Of whole numbers W&B would take a range of whole numbers.
            assert kind != "uniform" or isinstance(form["min"], float)
        else:
            assert list(form) in (["value"], ["values"])
            assert isinstance(form.get("values", []), list)


def test_the_fusion_sweep_goes_over_all_that_are_compared() -> None:
    sweep = read_sweep(find_config("sweeps/fusion.yaml"))
    compared = sorted(path.name for path in (PACKAGE_CONFIGS / "compared").glob("*.yaml"))
    assert sorted(sweep.parameters["config"]) == [f"compared/{name}" for name in compared]
    assert len(sweep.parameters["seed_everything"]) == 3
    assert len(sweep.combinations()) == 3 * len(compared)
    assert "comparison.yaml" in sweep.command
