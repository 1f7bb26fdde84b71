"""Comparing and reporting from Python, as a notebook does."""

import csv
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import refseg
from refseg.__main__ import main
from refseg.analysis.export import SCHEMA
from refseg.analysis.findings import Findings
from refseg.errors import ConfigError
from refseg.evaluation.bootstrap import bootstrap, differences
from refseg.evaluation.results import read_results, write_results

from .fake_results import draw_results

RESAMPLES = 200


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Two seeds of one model, and one of another that is worse at small objects."""
    folder = tmp_path_factory.mktemp("runs")
    paths: dict[str, list[Path]] = {"RMI": [], "LSTM-CNN": []}
    for name, small_skill, noise in (("RMI", 1.0, 1), ("RMI", 1.0, 2), ("LSTM-CNN", 0.0, 3)):
        path = folder / f"{name}-{noise}"
        table = draw_results(40, small_skill=small_skill, noise=noise)
        write_results(path / "results.parquet", table)
        paths[name].append(path)
    return paths


@pytest.fixture(scope="module")
def found(runs: dict[str, list[Path]]) -> Findings:
    return refseg.compare(runs, by=["size"], resamples=RESAMPLES)


def test_the_table_has_each_figure_and_each_difference(
    found: Findings, runs: dict[str, list[Path]]
) -> None:
    tables = {name: [read_results(run).table for run in seeds] for name, seeds in runs.items()}
    table = found.table()
    assert table.schema.equals(SCHEMA)
    rows = {
        (row["by"], row["group"], row["metric"], row["model"], row["against"]): row
        for row in table.to_pylist()
    }
    assert len(rows) == len(table), "a row for each"
    whole = ("", "", "overall_iou")
    for name, seeds in tables.items():
        row = rows[(*whole, name, None)]
        wanted = bootstrap(seeds, resamples=RESAMPLES)
        assert (row["value"], row["low"], row["high"]) == tuple(wanted)
        assert row["seeds"] == len(seeds)
        assert row["split"] == "val"
    (wanted,) = differences(tables["RMI"], tables["LSTM-CNN"], resamples=RESAMPLES)
    row = rows[(*whole, "RMI", "LSTM-CNN")]
    assert (row["value"], row["low"], row["high"], row["p_value"]) == tuple(wanted)
    sizes = {group for by, group, *_ in rows if by == "size"}
    assert {"small (< 3 %)", "medium (3–10 %)"} < sizes


def test_it_is_printed_as_on_the_terminal(
    found: Findings,
    runs: dict[str, list[Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    words = [f"{name}={run}" for name, seeds in runs.items() for run in seeds]
    more = ["--by", "size", "--resamples", str(RESAMPLES), "--csv", str(tmp_path / "c.csv")]
    assert main(["compare", *words, *more]) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in repr(found).splitlines()] == [
        line.rstrip() for line in printed.splitlines()[:-1]
    ]
    text = re.sub("<[^>]*>", "", found._repr_html_())
    assert found.verdicts[0] in " ".join(text.split())
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert [row["value"] for row in rows] == [str(x) for x in found.table()["value"].to_pylist()]


def test_names_are_told_from_lists_as_on_the_command_line(runs: dict[str, list[Path]]) -> None:
    rmi, lstm = runs["RMI"], runs["LSTM-CNN"][0]
    listed = refseg.compare([f"RMI={rmi[0]}", f"RMI={rmi[1]}", str(lstm)], resamples=100)
    assert list(listed.contenders) == ["RMI", "LSTM-CNN-3"]
    against = refseg.compare(rmi, against=[lstm], resamples=100)
    assert [len(seeds) for seeds in against.contenders.values()] == [2, 1]
    read = refseg.compare({"a": read_results(rmi[0]), "b": lstm}, resamples=100)
    assert (read.first, read.others) == ("a", ["b"])
    alone = refseg.compare(lstm, resamples=100)
    assert not alone.others
    assert "overall IoU" in repr(alone)
    with pytest.raises(ConfigError, match="give both models by name"):
        refseg.compare(runs, against=[lstm])
    with pytest.raises(ConfigError, match="given twice"):
        refseg.compare({"a": lstm, "b": [lstm]})
    with pytest.raises(ConfigError, match="at least one run"):
        refseg.compare({})


def test_rivals_are_the_former_name_of_distractors(
    runs: dict[str, list[Path]], tmp_path: Path
) -> None:
    """In results of an earlier version, and as a breakdown."""
    run = runs["LSTM-CNN"][0]
    table = pq.read_table(run / "results.parquet")
    names = ["rivals" if name == "distractors" else name for name in table.column_names]
    former = tmp_path / "results.parquet"
    pq.write_table(table.rename_columns(names), former)
    assert read_results(former).table.equals(read_results(run).table)
    found = refseg.compare(former, by=["rivals"], resamples=100)
    assert {part.by for part in found.parts} == {"", "distractors"}


def test_a_report_of_what_was_found_or_of_the_runs(
    found: Findings, runs: dict[str, list[Path]], tmp_path: Path
) -> None:
    page = refseg.report(found, tmp_path / "found.html", cases=2)
    again = refseg.report(runs, tmp_path / "runs.html", resamples=RESAMPLES, cases=2)
    for path in (page, again):
        assert "RMI compared with LSTM-CNN" in path.read_text()
        assert "By size of the object" in path.read_text()
    assert "By category" in again.read_text(), "of runs, all breakdowns are made"
    assert "By category" not in page.read_text()
    with pytest.raises(ConfigError, match="Cannot write"):
        refseg.report(found, tmp_path)
