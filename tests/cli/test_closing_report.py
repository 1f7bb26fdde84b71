"""The page that a sweep ends with, of rows that are drawn here."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from refseg.cli.closing_report import closing_report
from refseg.evaluation.results import write_results
from refseg.sweeps import Run, Sweep, plan
from refseg.sweeps.record import write_record

from ..analysis.fake_results import draw_results
from ..sweeps.test_results import finish

FUSIONS = Sweep(
    Path("s.yaml"),
    "fusion",
    "refseg",
    ("${program}", "fit", "${args}"),
    {"model.fusion": ("a.yaml", "b.yaml"), "seed_everything": (1,)},
    "val/overall_iou",
)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    found = plan(FUSIONS, tmp_path)
    for run in found:
        finish(run, overall_iou=0.5)
    write_record(FUSIONS, found, tmp_path)
    return found


def add_rows(run: Run, number: int) -> Path:
    path = run.folder / "validate" / "results.parquet"
    write_results(path, draw_results(20, noise=number))
    return path


def test_names_the_page_of_all_models(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [add_rows(run, number) for number, run in enumerate(runs)]
    page = tmp_path / "report.html"
    line = f"{page}: the report of all 2 models"
    assert closing_report(FUSIONS, runs, tmp_path) == line
    assert "<h1>a compared with b" in page.read_text()
    monkeypatch.setattr("refseg.analysis.report.page.report", lambda *_, **__: page.unlink())
    assert closing_report(FUSIONS, runs, tmp_path) == f"{line}, from before"
    assert page.exists(), "it was not made again"
    later = page.stat().st_mtime + 1
    os.utime(rows[0], (later, later))
    assert closing_report(FUSIONS, runs, tmp_path) == line
    assert not page.exists(), "it was"


def test_there_is_none_without_rows_or_without_two_models(runs: list[Run], tmp_path: Path) -> None:
    assert closing_report(FUSIONS, runs, tmp_path) is None
    add_rows(runs[0], 0)
    assert closing_report(FUSIONS, runs[:1], tmp_path) is None
    line = closing_report(FUSIONS, runs, tmp_path)
    assert line is not None
    assert line.startswith("There is no report of all 2 models: Expected results.parquet in ")
    drawn = replace(FUSIONS, drawn=tuple(run.combination for run in runs))
    assert closing_report(drawn, runs, tmp_path) is None
