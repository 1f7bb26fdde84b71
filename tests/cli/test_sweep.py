"""The verb `sweep`, driven by a stand-in for `fit` that is a small script."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from filelock import FileLock

from refseg.__main__ import main
from refseg.cli.parsing.verb import VerbParser, call
from refseg.cli.sweep import sweep
from refseg.errors import ConfigError
from refseg.evaluation.results import write_results

from ..analysis.fake_results import draw_results

# Notes that it was called, then does what the files beside it say: fail, hang or wait for others.
FAKE_FIT = """
import json, os, signal, subprocess, sys, time
from collections.abc import Callable
from pathlib import Path

words = sys.argv[1:]
folder = Path(words[words.index("--output") + 1])
options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
here = Path(__file__).parent
fusion, seed = Path(options["model.fusion"]).stem, int(options["seed_everything"])
with (here / "calls").open("a") as calls:
    calls.write(f"{fusion} {seed}\\n")
print("step 1\\rstep 2")
if (here / "fails").exists() and (here / "fails").read_text() == f"{fusion} {seed}":
    print("loading the data", file=sys.stderr)
    print("refseg: error: [red] the moon is full", file=sys.stderr)
    sys.exit(3)
if (here / "hangs").exists():
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (folder / "half.ckpt").write_text("half")
    (here / "pids").write_text(f"{os.getpid()} {worker.pid}")
    time.sleep(120)
if (here / "curves").exists():
    value = {"concat": 0.3, "mlstm": 0.6}[fusion]
    with (folder / "curve.jsonl").open("w") as curve:
        for step in range(2):
            curve.write(json.dumps({"step": step, "val/overall_iou": value}) + "\\n")
    if fusion == "concat":
        time.sleep(120)
if (here / "waits").exists():
    (here / "pid").write_text(str(os.getpid()))
    while not (here / "go").exists():
        time.sleep(0.01)
    if (here / "go").read_text() == "and fail":
        sys.exit(3)
if (here / "together").exists():
    (here / f"here-{fusion}-{seed}").touch()
    deadline = time.monotonic() + 10
    while len(list(here.glob("here-*"))) < 2:
        if time.monotonic() > deadline:
            sys.exit("nobody came")
        time.sleep(0.01)
base = {"concat": 0.5, "mlstm": 0.6}[fusion]
metrics = {"overall_iou": base + 0.1 * seed, "mean_iou": base, "precision@0.5": None}
if seed == int(options.get("undefined_from", 99)):
    metrics["mean_iou"] = None
if not (here / "silent").exists():
    (folder / "metrics.json").write_text(json.dumps({
        "metrics": {"val": metrics},
        "parameters": 1000 if fusion == "concat" else 2000,
        "trainable_parameters": 900,
        "training_seconds": 60.0 + seed,
        "checkpoint": str(folder / "checkpoints" / "best.ckpt"),
    }))
"""
SWEEP: dict[str, Any] = {
    "program": "",
    "method": "grid",
    "metric": {"name": "val/overall_iou", "goal": "maximize"},
    "command": ["${env}", "${interpreter}", "${program}", "--config", "rmi.yaml", "${args}"],
    "parameters": {
        "seed_everything": {"values": [0, 1, 2]},
        "model.fusion": {"values": ["fusion/concat.yaml", "fusion/mlstm.yaml"]},
    },
}
ALL = [f"{fusion} {seed}" for seed in range(3) for fusion in ("concat", "mlstm")]


class Place:
    """A folder with a sweep file, the stand-in for `fit`, and what they leave."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out"
        self.file, self.program = folder / "grid.yaml", folder / "fake_fit.py"
        self.program.write_text(FAKE_FIT)
        self.content: dict[str, Any] = {**SWEEP, "program": str(self.program)}
        self.save()

    def save(self, **changes: object) -> None:
        self.file.write_text(yaml.safe_dump({**self.content, **changes}, sort_keys=False))

    def words(self, *more: str) -> list[str]:
        return [str(self.file), "--output", str(self.output), *more]

    def sweep(self, *more: str) -> int:
        return call(sweep, "refseg sweep", self.words(*more))

    def calls(self) -> list[str]:
        """The runs that were started since the last time of asking."""
        notes = self.folder / "calls"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return lines

    def results(self) -> list[dict[str, str]]:
        with (self.output / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("COLUMNS", "200")  # room for the table
    return Place(tmp_path)


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


def test_the_record_of_a_sweep_is_there_while_it_runs(place: Place) -> None:
    (place.folder / "hangs").touch()
    place.save(run_cap=1)
    command = [sys.executable, "-m", "refseg", "sweep", *place.words()]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    _wait_for(lambda: (place.folder / "pids").exists())
    record = json.loads((place.output / "sweep.json").read_text())
    assert [(run["model"], run["finished"]) for run in record["runs"]] == [("concat", False)]
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=20)


def test_draws_a_plot(place: Place) -> None:
    place.sweep()
    plot = cv2.imread(str(place.output / "results.png"))
    assert plot is not None
    assert plot.shape[0] > 300
    assert plot.shape[1] > 500
    colours = {tuple(colour) for colour in plot.reshape(-1, 3)[::7].tolist()}
    assert len(colours) > 20  # bars of two colours on white, with smoothed edges


def test_goes_on_where_it_stopped(place: Place) -> None:
    place.sweep()
    place.calls()
    first, second = sorted(folder for folder in place.output.iterdir() if folder.is_dir())[:2]
    (first / "metrics.json").unlink()  # half made
    (first / "leftover.ckpt").touch()
    (second / "metrics.json").write_text('{"metrics": ')  # not as `fit` writes it
    assert place.sweep() == 0
    assert place.calls() == ALL[:2]
    assert not (first / "leftover.ckpt").exists()
    assert place.sweep() == 0
    assert place.calls() == []


def test_runs_again_only_what_the_file_has_changed(place: Place) -> None:
    place.sweep()
    place.calls()
    seeds = {"seed_everything": {"values": [0, 3]}}
    place.save(parameters={**SWEEP["parameters"], **seeds})
    assert place.sweep() == 0
    assert place.calls() == ["concat 3", "mlstm 3"]
    assert [row["runs"] for row in place.results()] == ["2", "2"]

    place.save(command=[*SWEEP["command"], "--trainer.max_steps=5"])
    assert place.sweep() == 0
    assert place.calls() == ALL
    place.save()  # and back: the first results are still there
    assert place.sweep() == 0
    assert place.calls() == []


def test_finds_a_run_again_whose_parameter_got_more_values(place: Place) -> None:
    one = {"seed_everything": {"value": 0}}
    place.save(parameters={**SWEEP["parameters"], **one})
    place.sweep()
    place.calls()
    place.save()
    place.sweep()
    assert place.calls() == ALL[2:]


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


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(place: Place) -> None:
    place.save(run_cap=2)
    (place.folder / "hangs").touch()
    command = [sys.executable, "-m", "refseg", "sweep", *place.words()]
    sweep = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    pids = place.folder / "pids"
    _wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    children = [int(pid) for pid in pids.read_text().split()]
    sweep.send_signal(signal.SIGINT)
    shown, _ = sweep.communicate(timeout=20)
    assert sweep.returncode == 130
    assert "Traceback" not in shown
    assert "0 of 2 runs finished" in shown
    assert f"refseg sweep {place.file} --output {place.output}" in shown
    for child in children:  # the run and what it had started
        _wait_for(lambda child=child: not _alive(child))
    assert list(place.output.rglob("half.ckpt"))

    (place.folder / "hangs").unlink()
    place.calls()
    assert subprocess.run(command, stdout=subprocess.PIPE, check=False).returncode == 0
    assert place.calls() == ALL[:2]
    assert not list(place.output.rglob("half.ckpt"))


class Killed:
    """A sweep that was killed while its first run was at work, and the one that comes next."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.save(run_cap=2)
        (place.folder / "waits").touch()
        self.command = [sys.executable, "-u", "-m", "refseg", "sweep", *place.words()]
        with subprocess.Popen(self.command, stdout=subprocess.DEVNULL) as sweep:
            pid = place.folder / "pid"
            _wait_for(lambda: pid.exists() and pid.read_text() != "")
            self.child = int(pid.read_text())
            sweep.kill()
        assert _alive(self.child)

    def next_sweep(self) -> subprocess.Popen[str]:
        """Start it, and wait until it has found the run at work."""
        sweep = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        output = iter(sweep.stdout)  # type: ignore[arg-type]  # asked for
        assert any(f"at work already (process {self.child})" in line for line in output)
        return sweep


def test_a_run_whose_sweep_was_killed_is_waited_for(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    (place.folder / "go").touch()
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 0
    assert "[1/2]" in shown
    assert place.calls() == ALL[:2], "each once"
    assert [row["runs"] for row in place.results()] == ["1", "1"]


def test_a_run_whose_sweep_was_killed_starts_anew_when_it_fails(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    (place.folder / "waits").unlink()
    (place.folder / "go").write_text("and fail")
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 0
    assert "ended unfinished; it starts anew" in shown
    assert place.calls() == [ALL[0], *ALL[:2]]


def test_a_run_whose_sweep_was_killed_is_stopped_with_the_next_sweep(place: Place) -> None:
    killed = Killed(place)
    sweep = killed.next_sweep()
    sweep.send_signal(signal.SIGINT)
    shown, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 130
    assert "0 of 2 runs finished" in shown
    assert not _alive(killed.child)


def test_a_run_that_died_with_its_sweep_starts_anew(place: Place) -> None:
    killed = Killed(place)
    os.kill(killed.child, signal.SIGKILL)
    (place.folder / "waits").unlink()
    _wait_for(lambda: not _alive(killed.child))
    assert place.sweep() == 0
    assert place.calls() == [ALL[0], *ALL[:2]]


def test_a_run_that_the_user_has_started_there_is_waited_for_too(place: Place) -> None:
    place.save(run_cap=1)
    (place.folder / "silent").touch()
    assert place.sweep() == 1
    (folder,) = (path for path in place.output.iterdir() if path.is_dir())
    (place.folder / "silent").unlink()
    lock = FileLock(folder / ".run.lock", thread_local=False)
    lock.acquire()
    threading.Timer(1.0, lock.release).start()
    began = time.monotonic()
    assert place.sweep() == 0
    assert time.monotonic() - began > 0.9


def test_refuses_a_folder_that_is_no_run(place: Place) -> None:
    place.save(run_cap=1)
    place.sweep()
    folder = next(folder for folder in place.output.iterdir() if folder.is_dir())
    (folder / "run.json").unlink()
    with pytest.raises(ConfigError, match="not a run of a sweep"):
        place.sweep()
    assert (folder / "metrics.json").exists()


def test_refuses_to_work_beside_another_sweep(place: Place) -> None:
    place.output.mkdir()
    with FileLock(place.output / ".lock"), pytest.raises(ConfigError, match="Another sweep"):
        place.sweep()
    assert place.calls() == []


def test_names_a_program_that_is_not_there(place: Place) -> None:
    place.save(command=["${env}", "no-such-program", "${args}"])
    with pytest.raises(ConfigError, match="no-such-program"):
        place.sweep()


def test_a_missing_file_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"nothing\.yaml.*configs"):
        sweep("sweeps/nothing.yaml")


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


def test_a_random_search_goes_on_where_it_stopped(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {
        "seed_everything": {"value": 0},
        "model.fusion": {"value": "fusion/concat.yaml"},
        "lr": {"distribution": "log_uniform_values", "min": 0.0001, "max": 0.1},
    }
    place.save(method="bayes", parameters=parameters, run_cap=2)
    assert place.sweep() == 0
    assert "is a random search here" in capsys.readouterr().out
    place.save(method="random", parameters=parameters, run_cap=3)
    place.calls()
    assert place.sweep() == 0
    assert len(place.calls()) == 1
    assert len({row["lr"] for row in place.results()}) == 3


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


@pytest.mark.parametrize("words", [["s.yaml", "--trainer.max_steps=5"], ["s.yaml", "--jobs", "0"]])
def test_wrong_words_end_with_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words]) == 2
    assert "refseg sweep" in capsys.readouterr().err


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


def _wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # a zombie of a container without an init has ended too
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
