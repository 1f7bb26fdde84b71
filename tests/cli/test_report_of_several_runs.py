"""`refseg report` of several runs: side by side, below each other, and over seeds."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import RLE, read_results
from refseg.evaluation.word_curves import as_shares

from ..analysis.fake_results import draw_results
from .report_pages import FEW, cells, read_page, section, text_of, write_run


def test_curves_over_the_words_are_those_of_the_runs_that_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run(tmp_path / name, draw_results(40, noise=9)) for name in ("a", "b", "plain")]
    for run, final in zip(runs, (0.5, 0.75), strict=False):
        curve = as_shares({40: {"overall_iou": 0.25}, 100: {"overall_iou": final}})
        (run / "test" / "metrics.json").write_text(json.dumps({"words": {"val": curve}}))
    words = ["report", f"read={runs[0]}", f"read={runs[1]}", f"other={runs[2]}", *FEW]
    assert main([*words, "--output", str(tmp_path / "page.html")]) == 0
    found = section(read_page(tmp_path / "page.html"), "While the sentence is read, val")
    assert cells(found.find(".//table")) == [
        ["words read", "read"],
        ["40", "25.00"],
        ["100", "62.50"],  # the mean of both seeds
    ]
    assert "Overall IoU of read (protocol standard)" in text_of(found)
    (runs[1] / "test" / "metrics.json").write_text("[3]")
    assert main([*words, "--output", str(tmp_path / "page.html")]) == 2
    assert "write it again with `refseg test --words`" in capsys.readouterr().err


def test_two_runs_with_a_paired_comparison(
    drawn_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.html"
    runs = [str(drawn_runs / "rmi-0"), str(drawn_runs / "lstm-0")]
    assert main(["report", *runs, "--output", str(path), *FEW]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith(f"{path}\n")
    page = read_page(path)
    heads, first, *_ = cells(section(page, "Figures on val").find(".//table"))
    assert heads == ["metric", "rmi-0", "lstm-0", "difference", "p"]
    overall = [
        100 * figures_of(read_results(Path(run)).table)["val"]["overall_iou"] for run in runs
    ]
    assert [cell.split(" [")[0] for cell in first[1:3]] == [f"{value:.2f}" for value in overall]
    assert float(first[3].split(" [")[0]) == pytest.approx(overall[0] - overall[1], abs=0.006)
    (lead,) = [p.text for p in page.iter("p") if p.get("class") == "lead"]
    assert lead.replace("\u00a0", " ") == shown.splitlines()[0]
    groups = [heading.text for heading in section(page, "Gallery").iter("h3")]
    assert groups == [
        "rmi-0 gains the most over lstm-0",
        "rmi-0 loses the most to lstm-0",
        "Drawn at random",
    ]
    gains = section(page, "Gallery").find(".//div[@class='cases']")
    for figure in gains.iter("figure"):
        said = [
            "".join(view.itertext()) for view in figure.iter("div") if view.get("class") == "view"
        ]
        shares = [float(re.search(r"IoU ([\d.]+)\s%", text)[1]) for text in said]
        assert shares[0] > shares[1]


def test_three_runs_stand_below_each_other(drawn_runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "three.html"
    runs = [str(drawn_runs / name) for name in ("rmi-0", "lstm-0", "lstm-1")]
    assert main(["report", *runs, "--output", str(path), *FEW]) == 0
    page = read_page(path)
    heads, *rows = cells(section(page, "Figures on val").find(".//table"))
    assert heads == ["metric", "in\u00a0%", "difference", "p (Holm)"]
    assert rows[0] == ["overall IoU"]
    overall = [
        100 * figures_of(read_results(Path(run)).table)["val"]["overall_iou"] for run in runs
    ]
    for row, run, value in zip(rows[1:4], runs, overall, strict=True):
        assert row[0] == Path(run).name
        assert row[1].split("\u00a0")[0].split(" [")[0] == f"{value:.2f}"
        if run == runs[0]:
            assert row[2:] == ["", ""]
        else:
            gain = float(row[2].split(" [")[0])
            assert gain == pytest.approx(overall[0] - value, abs=0.006)
    heads, *rows = cells(section(page, "By length of the expression, in words").find(".//table"))
    assert heads[:3] == ["length", "overall IoU", "difference"]
    assert [row[0] for row in rows[1:4]] == ["rmi-0", "lstm-0", "lstm-1"]
    assert " n\u00a0=\u00a0" in rows[0][0]


def test_after_crf_the_page_says_so(drawn_runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(drawn_runs / "rmi-0", tmp_path / "rmi")
    shutil.copy(
        drawn_runs / "rmi-1" / "test" / "results.parquet", folder / "test/results_crf.parquet"
    )
    plain, refined = str(folder / "test"), str(folder / "test" / "results_crf.parquet")
    for runs, said in (
        ([refined], "(protocol standard), after DenseCRF."),
        ([f"plain={plain}", f"crf={refined}"], "(protocol standard), after DenseCRF (crf)."),
        ([plain], "(protocol standard)."),
    ):
        path = tmp_path / "page.html"
        assert main(["report", *runs, "--output", str(path), *FEW]) == 0
        page = read_page(path)
        assert page.find(".//header/p").text.endswith(said)
        rows = dict(row[:2] for row in cells(section(page, "What was run").find(".//table")))
        assert rows["after DenseCRF"] == ("yes" if runs == [refined] else "no")


def test_seeds(drawn_runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "seeds.html"
    runs = [f"{name}={drawn_runs / name}-{seed}" for name in ("rmi", "lstm") for seed in range(2)]
    assert main(["report", *runs, "--output", str(path), *FEW]) == 0
    page = read_page(path)
    heads, first, *_ = cells(section(page, "Figures on val").find(".//table"))
    assert heads[-2:] == ["p over images", "p over seeds"]
    assert "\u00a0±\u00a0" in first[1]
    assert "mean of 2 seeds" in text_of(section(page, "Gallery"))
    runs_table = section(page, "What was run").find(".//table")
    assert cells(runs_table)[0][1:] == [
        "rmi (run 1)",
        "rmi (run 2)",
        "lstm (run 1)",
        "lstm (run 2)",
    ]


def test_masks_of_a_large_run_may_be_left_out(drawn_runs: Path, tmp_path: Path) -> None:
    """`rle` in one run and not in the other."""
    table = draw_results(60, noise=3)
    run = write_run(tmp_path / "b", table.append_column(RLE, pa.array([b""] * len(table))))
    path = tmp_path / "page.html"
    words = [
        "report",
        str(drawn_runs / "rmi-0"),
        str(run),
        "--output",
        str(path),
        *FEW,
        "--cases",
        "0",
    ]
    assert main(words) == 0
    titles = [heading.text for heading in read_page(path).iter("h2")]
    assert "Gallery" not in titles
    assert "Find expressions" in titles
