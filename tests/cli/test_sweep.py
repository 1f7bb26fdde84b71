"""The verb `sweep`, driven by a stand-in for `fit` that is a small script."""

import json
import shutil
import subprocess
import sys
import textwrap

import cv2
import pytest

from refseg.__main__ import main
from refseg.cli.parsing.verb import VerbParser
from refseg.cli.sweep import sweep
from refseg.evaluation.results import write_results

from ..analysis.fake_results import draw_results
from .fake_sweep import ALL, Place


def test_runs_the_grid_and_compares(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.sweep() == 0
    assert place.calls() == ALL

    concat, mlstm = place.results()
    assert concat["model.fusion"] == "fusion/concat.yaml"
    assert mlstm["model.fusion"] == "fusion/mlstm.yaml"
    # overall IoU: concat 0.5, 0.6, 0.7 and mlstm 0.6, 0.7, 0.8; sample variance 0.01
    assert float(concat["val/overall_iou mean"]) == pytest.approx(0.6)
    assert float(concat["val/overall_iou sd"]) == pytest.approx(0.1)
    assert float(mlstm["val/overall_iou mean"]) == pytest.approx(0.7)
    assert float(mlstm["val/overall_iou sd"]) == pytest.approx(0.1)
    assert float(mlstm["val/mean_iou sd"]) == pytest.approx(0.0)
    assert [row["runs"] for row in (concat, mlstm)] == ["3", "3"]
    assert [row["parameters"] for row in (concat, mlstm)] == ["1000", "2000"]
    assert float(concat["training_seconds"]) == pytest.approx(61.0)
    assert "val/precision@0.5 mean" not in concat  # undefined in all runs

    shown = capsys.readouterr().out
    assert "[6/6]" in shown
    row = next(line for line in shown.splitlines() if line.strip().startswith("mlstm"))
    assert row.split() == (
        ["mlstm", "3", "70.00", "±", "10.00", "60.00", "±", "0.00", "2,000", "1", "min", "1", "s"]
    )
    records = json.loads((place.output / "results.json").read_text())
    assert [record["settings"]["seed_everything"] for record in records["runs"]] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert records["runs"][5]["result"]["metrics"]["val/overall_iou"] == pytest.approx(0.8)


def test_its_folder_is_a_comparison(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / "fails").write_text("mlstm 1")
    assert place.sweep() == 1
    folders = sorted(path for path in place.output.iterdir() if (path / "metrics.json").exists())
    for number, folder in enumerate(folders):
        write_results(folder / "validate" / "results.parquet", draw_results(20, noise=number))
    assert not (place.output / "report.html").exists(), "the runs have left no rows"
    capsys.readouterr()
    files = place.folder / "c.json"
    words = ["compare", str(place.output), "--baseline", "mlstm", "--resamples", "100"]
    assert main([*words, "--json", str(files)]) == 0
    found = json.loads(files.read_text())
    assert {name: len(paths) for name, paths in found["models"].items()} == {
        "mlstm": 2,
        "concat": 3,
    }
    assert any("1 of 6 runs failed or are not finished" in note for note in found["notes"])
    assert "mlstm (seed 1)" in capsys.readouterr().out


def test_draws_a_plot(place: Place) -> None:
    place.sweep()
    plot = cv2.imread(str(place.output / "results.png"))
    assert plot is not None
    assert plot.shape[0] > 300
    assert plot.shape[1] > 500
    colours = {tuple(colour) for colour in plot.reshape(-1, 3)[::7].tolist()}
    assert len(colours) > 20  # bars of two colours on white, with smoothed edges


def test_overrides_belong_to_the_command(place: Place) -> None:
    place.sweep("--", "--undefined_from=1")
    assert place.calls() == ALL
    records = json.loads((place.output / "results.json").read_text())["runs"]
    assert all(record["command"][-1] == "--undefined_from=1" for record in records)
    concat, _ = place.results()  # mean IoU of seed 1 is undefined: a mean over two
    assert float(concat["val/mean_iou mean"]) == pytest.approx(0.5)
    place.sweep()
    assert place.calls() == ALL


def test_a_failed_run_does_not_stop_the_others(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.folder / "fails").write_text("mlstm 1")
    assert place.sweep() == 1
    assert place.calls() == ALL
    shown = capsys.readouterr().out
    assert "failed: exit code 3" in shown
    assert "  step 2\n  loading the data\n  refseg: error: [red] the moon is full\n" in shown
    row = next(line for line in shown.splitlines() if line.strip().startswith("mlstm"))
    assert "2 of 3" in row
    assert "70.00 ± 14.14" in row  # 0.6 and 0.8: sd 0.2 / sqrt(2)

    (place.folder / "fails").unlink()
    assert place.sweep() == 0
    assert place.calls() == ["mlstm 1"]


def test_a_run_that_leaves_no_metrics_has_failed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.folder / "silent").touch()
    place.save(run_cap=1)
    assert place.sweep() == 1
    assert place.calls() == ALL[:1]
    assert "no complete metrics.json" in capsys.readouterr().out
    assert not (place.output / "results.png").exists()
    assert place.results()[0]["runs"] == "0"


def test_runs_side_by_side(place: Place) -> None:
    (place.folder / "together").touch()  # each run waits for another one
    place.save(run_cap=2)
    assert place.sweep("--jobs", "2") == 0


def test_a_run_that_falls_behind_is_stopped_and_has_not_failed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.folder / "curves").touch()
    mlstm_first = {
        "model.fusion": {"values": ["fusion/mlstm.yaml", "fusion/concat.yaml"]},
        "seed_everything": {"values": [0, 1]},
    }
    hyperband = {"type": "hyperband", "min_iter": 2}
    # After 2 validations mlstm has 0.6, 0.6 and concat 0.3, 0.3. With the first concat there are
    # three values, with the second four, and place int(3 / 3) = int(4 / 3) = 1 of them is 0.6.
    place.save(parameters=mlstm_first, early_terminate=hyperband)
    assert place.sweep() == 0, "a stopped run is no failure"
    assert place.calls() == ["mlstm 0", "mlstm 1", "concat 0", "concat 1"]
    shown = capsys.readouterr().out
    assert shown.count("(0.3 after 2 validations; to go on it took 0.6)") == 2
    assert [row["stopped"] for row in place.results()] == ["0", "2"]
    runs = json.loads((place.output / "sweep.json").read_text())["runs"]
    assert [run.get("stopped", False) for run in runs] == [False, False, True, True]
    assert not any("stopped" in run for run in runs if run["finished"])
    assert place.sweep() == 0
    assert place.calls() == [], "and it stays stopped"


def test_collects_runs_and_says_what_the_parameters_explain(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.sweep()
    other = place.folder / "other"
    shutil.copytree(place.output, other)
    for folder in list(place.output.iterdir())[:4]:
        if folder.is_dir():
            shutil.rmtree(folder)
    place.calls()
    capsys.readouterr()
    assert place.sweep("--collect", str(other)) == 0
    assert place.calls() == [], "nothing is run"
    shown = capsys.readouterr().out
    assert f"{other}: 6 runs of a sweep here, 0 of W&B" in shown
    # concat 0.5, 0.6, 0.7 and mlstm 0.6, 0.7, 0.8 have the ranks 1, 2.5, 4.5 and 2.5, 4.5, 6:
    # between them 3 · 2 · (5/6)² of 16.5 = 25 %, by chance 1 / 5.
    row = next(line for line in shown.splitlines() if "correlation ratio" in line)
    assert row.split() == ["fusion", "correlation", "ratio", "25", "%", "20", "%", "–"]
    (found,) = json.loads((place.output / "results.json").read_text())["importance"]
    assert found["share"] == pytest.approx(25 / 6 / 16.5)
    plot = cv2.imread(str(place.output / "parameters.png"))
    assert plot is not None
    assert [row["runs"] for row in place.results()] == ["3", "3"]


def test_words_after_two_dashes_are_overrides() -> None:
    parser = VerbParser(sweep, "refseg sweep")
    given = {
        "output": None,
        "jobs": 2,
        "seed": 0,
        "collect": [],
        "no_report": False,
        "packages": [],
        "overrides": ["--a=1", "--", "b"],
    }
    assert parser.arguments(["s.yaml", "--jobs", "2", "--", "--a=1", "--", "b"]) == (
        ["s.yaml"],
        given,
    )
    assert parser.arguments(["s.yaml"])[1]["overrides"] == []


def test_help_has_examples_and_needs_no_torch() -> None:
    code = """
        import sys
        from refseg.cli.sweep import sweep
        from refseg.cli.parsing.verb import VerbParser
        print(VerbParser(sweep, "refseg sweep").format_help())
        print("torch" in sys.modules or "lightning" in sys.modules or "matplotlib" in sys.modules)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "examples:\n  refseg sweep sweeps/fusion.yaml" in shown
    assert shown.splitlines()[-1] == "False"
