"""The folder of a sweep in place of runs: which of its runs are compared, under which names."""

import json
import re
from pathlib import Path

import pytest

import refseg
from refseg.analysis.runs import read_contenders
from refseg.analysis.sweep_folders import is_sweep, read_sweep_folder
from refseg.errors import ConfigError, DataError, RefsegError
from refseg.evaluation.results import write_results

from .fake_results import draw_results

# By the name of the run's folder: model, seed, whether it is finished.
RUNS = {
    "a-0": ("concat", 0, True),
    "b-0": ("mlstm, level 2", 0, True),
    "a-1": ("concat", 1, True),
    "b-1": ("mlstm, level 2", 1, False),
    "c-0": ("film", 0, False),
    "c-1": ("film", 1, False),
}


def write_sweep(folder: Path, runs: dict[str, tuple[str, object, bool]]) -> Path:
    """A sweep as `refseg sweep` leaves it, whose finished runs have results of 20 images."""
    folder.mkdir(parents=True)
    records = []
    for number, (name, (model, seed, finished)) in enumerate(runs.items()):
        (folder / name).mkdir()
        (folder / name / "run.json").write_text("{}")
        records.append({"folder": name, "model": model, "seed": seed, "finished": finished})
        if finished:
            results = folder / name / "validate" / "results.parquet"
            write_results(results, draw_results(20, noise=number))
    (folder / "sweep.json").write_text(json.dumps({"sweep": "fusion", "runs": records}))
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "fusion", RUNS)


def test_finished_runs_are_seeds_of_their_models(sweep: Path) -> None:
    found = read_contenders(str(sweep))
    assert {
        name: [one.path.parent.parent.name for one in seeds]
        for name, seeds in found.contenders.items()
    } == {"concat": ["a-0", "a-1"], "mlstm, level 2": ["b-0"]}
    assert found.sweep is not None
    assert (found.sweep.name, found.sweep.path) == ("fusion", sweep)


def test_what_is_left_out_is_named(sweep: Path) -> None:
    assert read_sweep_folder(sweep).notes == [
        "Of the sweep fusion, 3 of 6 runs failed or are not finished, and are left out: mlstm, "
        "level 2 (seed 1), film (seed 0), film (seed 1).",
        "No run is finished of film, which is therefore not compared.",
    ]
    found = refseg.compare(sweep, resamples=100)
    assert set(read_sweep_folder(sweep).notes) < set(found.notes)


def test_a_finished_sweep_says_nothing(tmp_path: Path) -> None:
    path = write_sweep(tmp_path / "s", {"x": ("a", None, True), "y": ("b", None, True)})
    assert read_sweep_folder(path).notes == []


def test_a_sweep_beside_a_run(sweep: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "mine" / "results.parquet", draw_results(20, noise=9))
    found = read_contenders([str(sweep), f"mine={tmp_path / 'mine'}"], baseline="concat")
    assert list(found.contenders) == ["concat", "mine", "mlstm, level 2"]
    assert found.sweep is None, "there is a model of elsewhere"


def test_a_run_of_a_sweep_is_a_run(sweep: Path) -> None:
    assert not is_sweep(sweep / "a-0")
    assert list(read_contenders(sweep / "a-0").contenders) == ["a-0"]


def test_the_page_lies_in_the_folder_of_the_sweep(tmp_path: Path) -> None:
    path = write_sweep(tmp_path / "s", {"x": ("a", None, True), "y": ("b", None, True)})
    assert refseg.report(path, resamples=100, cases=0) == path / "report.html"


def test_the_baseline_is_compared_with_all_others(sweep: Path) -> None:
    found = refseg.compare(sweep, baseline="mlstm, level 2", resamples=100)
    assert (found.first, found.others) == ("mlstm, level 2", ["concat"])
    plain = refseg.compare(sweep, resamples=100)
    assert (plain.first, plain.others) == ("concat", ["mlstm, level 2"])
    gains = [one.wholes[0].gains["overall_iou"][one.others[0]] for one in (found, plain)]
    assert gains[0].difference.value == -gains[1].difference.value
    told = "got 'rmi'; choose one of concat, mlstm, level 2."
    with pytest.raises(ConfigError, match=re.escape(told)):
        refseg.compare(sweep, baseline="rmi")


def test_what_is_no_comparison(sweep: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_results(run / "results.parquet", draw_results(20, noise=9))
    unfinished = write_sweep(tmp_path / "unfinished", {"x": ("a", 0, False), "y": ("a", 1, False)})
    early = write_sweep(tmp_path / "early", {"x": ("a", 0, True)})
    (early / "sweep.json").unlink()
    damaged = write_sweep(tmp_path / "damaged", {"x": ("a", 0, True)})
    (damaged / "sweep.json").write_text('{"sweep": "s", "runs": [{"folder": "x"}]}')
    absent = write_sweep(tmp_path / "absent", {"x": ("a", 0, True)})
    (absent / "x" / "validate" / "results.parquet").unlink()
    other = write_sweep(tmp_path / "other", {"x": ("a", 0, True), "y": ("b", 0, True)})
    write_results(other / "y" / "validate" / "results.parquet", draw_results(20, split="dev"))
    cases: list[tuple[dict[str, object], type[RefsegError], str]] = [
        ({"runs": unfinished}, ConfigError, "got none of 2; go on with the same `refseg sweep`"),
        ({"runs": early}, DataError, "got a sweep of an earlier version; run the same"),
        ({"runs": damaged}, DataError, "is not the record of a sweep (KeyError: 'model')"),
        ({"runs": absent}, DataError, "or in its folder test, got none"),
        ({"runs": other}, DataError, "got none (a: val; b: dev)"),
        ({"runs": f"x={sweep}"}, ConfigError, "runs of one model as a run of 'x', got the sweep"),
        ({"runs": {"x": [sweep]}}, ConfigError, "runs of one model as runs of 'x', got the sweep"),
        ({"runs": sweep, "against": [run]}, ConfigError, "one model before --against"),
        ({"runs": run, "against": [sweep]}, ConfigError, "one model behind --against"),
        ({"runs": [f"concat={run}", sweep]}, ConfigError, "got 'concat' for two models"),
    ]
    for given, error, told in cases:
        with pytest.raises(error, match=re.escape(told)):
            refseg.compare(**given, resamples=100)  # type: ignore[arg-type]  # one by one
