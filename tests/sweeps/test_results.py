"""Figures over seeds, against numpy and by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from refseg.sweeps import Group, Run, Sweep, plan, summarise
from refseg.sweeps.results import Result, metric_names, save, table

GRID = {"model.fusion": ("a.yaml", "b.yaml"), "seed_everything": (0, 1, 2)}


def sweep_for(metric: str | None = "val/overall_iou", maximize: bool = True) -> Sweep:
    """Two fusions, three seeds."""
    return Sweep(Path("s.yaml"), "s", "refseg", ("${program}", "${args}"), GRID, metric, maximize)


def finish(run: Run, **metrics: float | None) -> None:
    """Leave what `fit` leaves at its end."""
    run.prepare()
    content = {
        "metrics": {"val": metrics},
        "parameters": 12,
        "trainable_parameters": 10,
        "training_seconds": 100 * run.combination["seed_everything"],
        "checkpoint": "best.ckpt",
    }
    (run.folder / "metrics.json").write_text(json.dumps(content))


def test_mean_and_deviation_over_the_seeds(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    runs = plan(sweep_for(), tmp_path)
    values = generator.random((2, 3))
    for run, value in zip(runs, values.flat, strict=True):
        finish(run, overall_iou=float(value))
    for group, expected in zip(summarise(runs), values, strict=True):
        assert group.mean("val/overall_iou") == pytest.approx(np.mean(expected))
        assert group.deviation("val/overall_iou") == pytest.approx(np.std(expected, ddof=1))
        assert group.training_seconds == pytest.approx(100.0)


def test_says_what_it_does_not_know(tmp_path: Path) -> None:
    runs = plan(sweep_for(), tmp_path)
    finish(runs[0], overall_iou=0.5, mean_iou=None)
    first, second = summarise(runs)
    assert (first.expected, len(first.results), len(second.results)) == (3, 1, 0)
    assert first.deviation("val/overall_iou") is None  # of one value there is none
    assert second.mean("val/overall_iou") is None
    assert metric_names([first, second]) == ["val/overall_iou"]
    console = Console(width=120, record=True)
    console.print(table(sweep_for(), [first, second], 120))
    shown = console.export_text().split("\n")
    assert next(line for line in shown if line.strip().startswith("a ")).split()[:5] == (
        ["a", "1", "of", "3", "50.00"]
    )
    assert next(line for line in shown if line.strip().startswith("b ")).split() == (
        ["b", "0", "of", "3", "–", "–", "–"]
    )


@pytest.mark.parametrize(("maximize", "best"), [(True, "70.00"), (False, "60.00")])
def test_the_best_is_bold(maximize: bool, best: str) -> None:
    groups = [
        Group({"model.fusion": name}, 1, [Result({"val/overall_iou": value}, 1, 1, 1.0, "c")])
        for name, value in (("a.yaml", 0.6), ("b.yaml", 0.7))
    ]
    console = Console(width=120, record=True, force_terminal=True, color_system="standard")
    console.print(table(sweep_for(maximize=maximize), groups, 120))
    rows = [line for line in console.export_text(styles=True).splitlines() if "0.00" in line]
    assert len(rows) == 2
    assert [best in row for row in rows] == ["\x1b[1m" in row for row in rows]


def test_a_table_that_is_too_wide_is_turned() -> None:
    metrics = {f"val/precision@{limit}": 0.25 for limit in (0.5, 0.6, 0.7, 0.8, 0.9)}
    groups = [
        Group({"model.fusion": name}, 2, [Result(metrics, 1_000, 1, 61.0, "c")] * 2)
        for name in ("a.yaml", "b.yaml")
    ]
    console = Console(width=60, record=True)
    console.print(table(sweep_for(), groups, console.width))
    words = [line.split() for line in console.export_text().splitlines()]
    assert ["fusion", "a", "b"] in words
    assert ["val", "P@0.5", "25.00", "±", "0.00", "25.00", "±", "0.00"] in words
    assert ["training", "1", "min", "1", "s", "1", "min", "1", "s"] in words


def test_a_table_of_many_models_leaves_figures_out_and_cuts_none() -> None:
    names = ["overall_iou", "mean_iou", *(f"precision@{limit}" for limit in (0.5, 0.7, 0.9))]
    result = Result({f"val/{name}": 0.25 for name in names}, 1_000_000, 1, 610.0, "c")
    models = [f"cross_attention{number}" for number in range(8)]
    groups = [Group({"model.fusion": model}, 2, [result] * 2) for model in models]
    shown = {}
    for width in (72, 100, 120):
        console = Console(width=width, record=True)
        console.print(table(sweep_for(), groups, width))
        shown[width] = console.export_text()
        assert "…" not in shown[width]
        rows = [line for line in shown[width].splitlines() if line.startswith(" cross_attention")]
        assert len(rows) == 8
        assert all("1,000,000" in row and "10 min 10 s" in row for row in rows)
    assert "P@0.9" in shown[120]
    assert "P@0.7" not in shown[120]
    assert "P@0.9" not in shown[100]
    assert "mean IoU" in shown[100]
    assert "mean IoU" not in shown[72]


def test_null_is_a_setting_and_no_gap(tmp_path: Path) -> None:
    grid = {"model.lr_scheduler": (None, "Cosine")}
    sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${program}", "${args}"), grid)
    runs = plan(sweep, tmp_path)
    groups = summarise(runs)
    save(sweep, runs, groups, tmp_path)
    rows = (tmp_path / "results.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows[1:]] == ["null", "Cosine"]
    console = Console(width=120, record=True)
    console.print(table(sweep, groups, 120))
    assert "null" in console.export_text()
    assert runs[0].command[-1] == "--model.lr_scheduler=null"


def test_a_run_is_finished_by_its_own_command_only(tmp_path: Path) -> None:
    run = plan(sweep_for(), tmp_path)[0]
    finish(run, overall_iou=0.5)
    assert run.result() is not None
    assert Run(run.folder, run.combination, (*run.command, "--more")).result() is None
    assert plan(sweep_for(), tmp_path)[0].result() is not None
    assert plan(sweep_for(), tmp_path, ["--more"])[0].result() is None


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"metrics": {"val": [1]}}', '{"metrics": 3}'])
def test_broken_metrics_are_no_result(tmp_path: Path, broken: str) -> None:
    run = plan(sweep_for(), tmp_path)[0]
    finish(run, overall_iou=0.5)
    (run.folder / "metrics.json").write_text(broken)
    assert run.result() is None


def test_names_of_runs_are_safe_and_differ(tmp_path: Path) -> None:
    grid = {"a": ("../../x", "a b", "a/b"), "seed": (1, 2)}
    runs = plan(Sweep(Path("s.yaml"), "s", "p", ("${args}",), grid), tmp_path)
    assert len({run.folder for run in runs}) == 6
    assert all(run.folder.parent == tmp_path for run in runs)
    assert all(" " not in run.name for run in runs)
