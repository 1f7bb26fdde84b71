"""`refseg report`: what stands on the page of one run."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import pyarrow as pa
import pytest

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import read_results

from .report_pages import FEW, cells, read_page, section

ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction"}


@pytest.fixture(scope="module")
def tested(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training with a test in it."""
    folder = tmp_path_factory.mktemp("reported") / "rmi & <co>"
    shutil.copytree(run, folder)
    checkpoint = str(folder / "checkpoints" / "best.ckpt")
    assert main(["test", "--ckpt_path", checkpoint, "--save_masks", "true"]) == 0
    return folder


@pytest.fixture(scope="module")
def one(tested: Path) -> Element:
    assert main(["report", str(tested), *FEW]) == 0
    return read_page(tested / "test" / "report.html")


def test_figures_are_those_of_the_summary(one: Element, tested: Path) -> None:
    summary = json.loads((tested / "test" / "summary.json").read_text())
    heads, *rows = cells(section(one, "Figures").find(".//table"))
    assert heads[1:] == list(summary["metrics"]) == ["val", "testA", "testB"]
    names = {"overall IoU": "overall_iou", "mean IoU": "mean_iou"}
    for label, *values in rows[:-1]:
        metric = names.get(label, label.replace("P@", "precision@"))
        for split, value in zip(heads[1:], values, strict=True):
            assert value.split(" [")[0] == f"{100 * summary['metrics'][split][metric]:.2f}"
    for split, value in zip(heads[1:], rows[-1][1:], strict=True):
        assert value.startswith(f"{summary['expressions'][split]:,} in ")


def test_everything_is_on_the_page(one: Element) -> None:
    titles = [heading.text for heading in one.iter("h2")]
    wanted = ["Figures", "Precision over thresholds, val", "By category", "By kind of words"]
    wanted += ["The same for testB", "Find expressions", "Gallery", "Word by word", "What was run"]
    assert [title for title in wanted if title not in titles] == []
    assert not [title for title in titles if title.startswith("While the sentence")], "no --words"
    assert [heading.text for heading in one.iter("h1")] == ["rmi & <co>"]
    groups = [heading.text for heading in section(one, "Gallery").iter("h3")]
    assert groups == ["Best", "Worst", "Typical: next to the median IoU", "Drawn at random"]
    assert len(list(section(one, "Gallery").iter("figure"))) == 8
    (strip,) = section(one, "Word by word").iter("figure")
    sentence = strip.find("figcaption").text
    words = [span.text for span in strip.iter("span") if span.get("class") == "word"]
    assert words == sentence.split()
    leads = [p for p in one.iter("p") if p.get("class") == "lead"]
    assert len(leads) == 1
    assert "rmi & <co> reaches " in leads[0].text


def test_the_truth_is_drawn_and_pictures_are_described(one: Element, tested: Path) -> None:
    table = read_results(tested).table
    rows = {(r["expression"], f"{100 * r['iou']:.1f}"): r for r in table.to_pylist()}
    for figure in section(one, "Gallery").iter("figure"):
        svg = figure.find(".//svg")
        said = re.fullmatch(r"(.*): IoU ([\d.]+) %(, nothing predicted)?", svg.get("aria-label"))
        assert said
        row = rows[said[1], said[2]]
        assert (row["predicted_area"] == 0) == (said[3] is not None)
        kinds = [path.get("class") for path in svg.iter("path")]
        assert kinds[:2] == ["edge", "truth"]
        assert ("prediction" in kinds) == (row["predicted_area"] > 0)
    for image in one.iter("img"):
        assert image.get("alt")


def test_nothing_is_fetched_and_links_lead_to_files(one: Element, tested: Path) -> None:
    ids = {element.get("id") for element in one.iter() if element.get("id")}
    files = set()
    for element in one.iter():
        for name in ADDRESSES & set(element.keys()):
            address = element.get(name)
            if address.startswith("#"):
                assert address[1:] in ids
            elif element.tag == "a":
                files.add((tested / "test" / unquote(address)).resolve())
            else:
                assert address.startswith("data:")
        style = element.get("style", "")
        assert "url(" not in style
    expected = ["checkpoints/best.ckpt", "config.yaml", "test/results.parquet"]
    assert files == {tested / name for name in expected}
    assert all(path.is_file() for path in files)


def test_config_commit_and_versions(one: Element, tested: Path) -> None:
    summary = json.loads((tested / "test" / "summary.json").read_text())
    what = dict(cells(section(one, "What was run").find(".//table")))
    assert what["fusion"] == "MultimodalLSTM"
    assert what["seed"] == str(summary["seed"])
    assert what["torch"] == summary["versions"]["torch"]
    assert summary["config_sha256"].startswith(what["SHA-256 of the config"])
    commit = summary["git_commit"]
    assert what["commit"] == (commit[:12] if commit else "–")
    config = section(one, "What was run").find(".//pre/code").text
    assert "seed_everything: 0" in config
    assert "MultimodalLSTM" in config


def test_the_filter_has_all_expressions_and_what_was_counted(one: Element, tested: Path) -> None:
    table = read_results(tested).table
    (script,) = [s for s in one.iter("script") if s.get("type") == "application/json"]
    data = json.loads(script.text)
    splits = [data["splits"][code] for code in data["split"]]
    (seed,) = data["models"][0]["seeds"]
    counted = pa.table(
        {"split": splits, "intersection": seed["intersections"], "union": seed["unions"]}
    )
    assert figures_of(counted) == figures_of(table)
    assert sorted(data["expressions"]) == sorted(table["expression"].to_pylist())
    for element in one.iter():
        if element.get("data-row") is not None:
            row = int(element.get("data-row"))
            assert element.find("figcaption").text == data["expressions"][row]
