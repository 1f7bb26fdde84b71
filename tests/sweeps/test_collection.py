"""Runs of here, of other folders and of W&B in one table, by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from refseg.errors import ConfigError
from refseg.sweeps import Sweep, plan
from refseg.sweeps import collection as collection_module
from refseg.sweeps.collection import collect
from refseg.sweeps.hyperband import Hyperband
from refseg.sweeps.results import summarise
from refseg.sweeps.wandb_runs import LoggedRun

from .test_results import finish

GRID = Sweep(
    Path("s.yaml"),
    "s",
    "refseg",
    ("${program}", "fit", "${args}"),
    {"seed_everything": (0, 1), "model.fusion.dim": (16, 32)},
    metric="val/overall_iou",
    maximize=True,
)
SEARCH = replace(GRID, parameters={"lr": (0.5,)}, drawn=({"lr": 0.5},), method="random")


def logged(name: str, config: dict[str, object], *ious: float, finished: bool = True) -> LoggedRun:
    rows = [{"val/overall_iou": iou, "val/mean_iou": iou / 2, "train/loss": 9.0} for iou in ious]
    return LoggedRun(name, name, config, [*rows, {"epoch": 1}], finished)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[LoggedRun]:
    """The runs that W&B has, to be filled."""
    runs: list[LoggedRun] = []
    monkeypatch.setattr(collection_module, "read_remote", lambda path: runs)
    return runs


def test_runs_of_another_folder_are_those_of_the_same_command(tmp_path: Path) -> None:
    here, there = plan(GRID, tmp_path / "here"), plan(GRID, tmp_path / "there")
    finish(here[0], overall_iou=0.25)
    finish(there[0], overall_iou=0.75)  # the same run once more: the first one is kept
    finish(there[3], overall_iou=0.5)
    finish(plan(GRID, tmp_path / "there", ["--trainer.max_steps=5"])[1], overall_iou=0.9)
    found = collect(GRID, here, [str(tmp_path / "there"), str(tmp_path / "here")])
    results = {tuple(run.combination.values()): run.result() for run in found.runs}
    ious = {key: one and one.metrics["val/overall_iou"] for key, one in results.items()}
    assert ious == {(0, 16): 0.25, (0, 32): None, (1, 16): None, (1, 32): 0.5}
    assert found.notes[0].endswith("2 runs of a sweep here, 0 of W&B")
    assert "passed over 1 runs with other options" in found.notes[1]
    assert found.notes[1].endswith("end the command with: -- --trainer.max_steps=5")
    assert found.notes[-1].startswith("2 runs were there twice")


def test_figures_of_wandb_are_those_of_the_last_validation(server: list[LoggedRun]) -> None:
    nested = {"seed_everything": 0, "model": {"fusion": {"dim": 16.0}}}
    server += [
        logged("a", {"seed_everything": 1, "model.fusion.dim": 32}, 0.75, 0.5, float("nan")),
        logged("b", nested, 0.75),
        logged("c", {"seed_everything": 1, "model.fusion.dim": 48}, 0.75),  # none of the grid
        logged("d", {"seed_everything": True, "model.fusion.dim": 16}, 0.75),  # true is not 1
        logged("e", {"seed_everything": 0}, 0.75),
        logged("f", {"seed_everything": 0, "model.fusion.dim": 32}),  # finished without a figure
    ]
    found = collect(GRID, [], ["me/p/abc"])
    assert [(run.name, dict(run.combination)) for run in found.runs] == [
        ("a", {"seed_everything": 1, "model.fusion.dim": 32}),
        ("b", {"seed_everything": 0, "model.fusion.dim": 16}),
        ("f", {"seed_everything": 0, "model.fusion.dim": 32}),
    ]
    results = [run.result() for run in found.runs]
    assert results[0] is not None
    assert results[0].metrics == {"val/overall_iou": 0.5, "val/mean_iou": 0.25}
    assert results[2] is None
    assert any("Passed over 3 runs" in note for note in found.notes)
    groups = summarise(found.runs)
    assert [(group.mean("val/overall_iou"), group.parameters) for group in groups] == [
        (0.5, None),
        (0.75, None),
    ]


def test_a_search_has_the_values_that_were_run(server: list[LoggedRun], tmp_path: Path) -> None:
    server += [logged("a", {"lr": 0.25}, 0.5), logged("b", {"lr": 0.125}, 0.25)]
    found = collect(SEARCH, plan(SEARCH, tmp_path), ["me/p/abc"])
    assert found.sweep.parameters == {"lr": (0.25, 0.125)}, "0.5 was drawn and never run"
    assert found.sweep.combinations() == [{"lr": 0.25}, {"lr": 0.125}]


def test_who_stopped_a_run_is_told_by_the_rule_of_the_sweep(server: list[LoggedRun]) -> None:
    stopping = replace(SEARCH, stopping=Hyperband((2,), 2.0))
    server += [
        logged("a", {"lr": 1}, 0.5, 0.6),
        logged("d", {"lr": 4}, 0.5, 0.7),  # so that it takes 0.6 to go on
        logged("b", {"lr": 2}, 0.5, 0.1, finished=False),
        logged("c", {"lr": 3}, 0.1, finished=False),  # before the bracket: it has failed
    ]
    a, _, b, *others = collect(stopping, [], ["me/p/abc"]).runs
    assert a.result() is not None
    verdict = b.stopped()
    assert verdict is not None
    assert verdict == (2, 0.1, 0.6)
    assert others == []
    assert b.result() is None


def test_figures_beside_the_files_of_wandb_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run" / "wandb" / "offline-run-1" / "run-1.wandb"
    file.parent.mkdir(parents=True)
    file.touch()
    counts = {"parameters": 7, "trainable_parameters": 5, "training_seconds": 60.0}
    figures = {"metrics": {"val": {"overall_iou": 0.625}}, "checkpoint": None, **counts}
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(figures))
    run = replace(logged("a", {"lr": 0.25}, 0.5), folder=file.parent)
    monkeypatch.setattr(collection_module, "read_offline", lambda path: run)
    (found,) = collect(SEARCH, [], [str(tmp_path)]).runs
    result = found.result()
    assert result is not None
    assert (result.metrics, result.parameters) == ({"val/overall_iou": 0.625}, 7)
    (tmp_path / "run" / "run.json").write_text("{}")  # a run of `refseg sweep`, which tells more
    assert "0 of W&B" in collect(SEARCH, plan(SEARCH, tmp_path), [str(tmp_path)]).notes[0]


def test_needs_a_metric(server: list[LoggedRun]) -> None:
    server.append(logged("a", {"lr": 0.25}, 0.5))
    with pytest.raises(ConfigError, match=r"s\.yaml: metric: expected its `name`"):
        collect(replace(SEARCH, metric=None), [], ["me/p/abc"])
