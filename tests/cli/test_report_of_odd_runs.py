"""`refseg report` of runs that lack something, are hostile, or cannot be reported."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from refseg.__main__ import main

from ..analysis.fake_results import HEIGHT, WIDTH, draw_results
from ..visualization.html.test_markup import HOSTILE
from .report_pages import FEW, cells, read_page, section, text_of, write_run


def test_a_run_without_images_data_or_checkpoint(drawn_runs: Path) -> None:
    assert main(["report", str(drawn_runs / "rmi-1"), *FEW]) == 0
    page = read_page(drawn_runs / "rmi-1" / "test" / "report.html")
    notes = [item.text for item in page.find(".//ul[@class='notes']")]
    assert any(note.startswith("The true masks are not shown: ") for note in notes)
    assert any("images cannot be read" in note for note in notes)
    title, *said = filter(None, text_of(section(page, "Word by word")).splitlines())
    assert title == "Word by word"
    assert len(said) == 1
    assert "the checkpoint is absent" in said[0]
    assert "prediction not known" in text_of(section(page, "Gallery"))


def test_expressions_that_name_nothing(tmp_path: Path) -> None:
    table = draw_results(40)
    nothing = np.arange(len(table)) % 4 == 0
    empty = nothing & (np.arange(len(table)) % 8 == 0)  # and nothing is predicted
    for name, values in (
        ("area", np.where(nothing, 0, table["area"])),
        ("intersection", np.where(nothing, 0, table["intersection"])),
        ("union", np.where(empty, 0, table["union"])),
        ("predicted_area", np.where(empty, 0, table["union"])),
    ):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, pa.int64()))
    intersection, union = (table[name].to_numpy() for name in ("intersection", "union"))
    iou = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    table = table.set_column(table.schema.get_field_index("iou"), "iou", pa.array(iou))
    run = write_run(tmp_path / "run", table)
    assert main(["report", str(run), *FEW]) == 0
    rows = dict(cells(section(read_page(run / "test" / "report.html"), "Figures").find(".//table")))
    assert rows["N-acc"] == f"{100 * empty.sum() / nothing.sum():.2f}"
    assert rows["T-acc"] == "100.00"


def test_hostile_expressions_categories_and_names_are_inert(tmp_path: Path) -> None:
    table = draw_results(30)
    texts = (HOSTILE * len(table))[: len(table)]
    for name in ("expression", "category"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(texts))
    image = tmp_path / "<img> 'a\".png"
    Image.new("RGB", (WIDTH, HEIGHT)).save(image)
    place = table.schema.get_field_index("image_path")
    paths = pa.array([str(image)] * len(table)).dictionary_encode()
    table = table.set_column(place, "image_path", paths)
    hostile = dict.fromkeys(("checkpoint", "git_commit", "seed", "protocol"), HOSTILE[0])
    run = write_run(
        tmp_path / "run",
        table,
        **hostile,
        model={HOSTILE[1]: HOSTILE[2]},
        config={"data": {"dataset": HOSTILE[1], HOSTILE[0]: HOSTILE[2]}},
        versions={HOSTILE[3]: HOSTILE[4]},
    )
    path = tmp_path / "page.html"
    words = ["report", f"{HOSTILE[6].replace('/', '')}={run}", "--output", str(path), *FEW]
    assert main(words) == 0
    page = read_page(path)
    scripts = [s for s in page.iter("script") if s.get("type") == "application/json"]
    assert json.loads(scripts[0].text)["expressions"] == texts
    for element in page.iter():
        if isinstance(element.tag, str):
            assert not [name for name in element.attrib if name.startswith("on")]
        if element.tag == "script" and element.text:  # labels of charts are escaped in there
            assert not re.search("<(script|img|svg|b)\\b", element.text)
    captions = {caption.text for caption in page.iter("figcaption")}
    assert captions <= set(HOSTILE)
    options = [option.text for option in page.find(".//select[@id='filter-category']")][1:]
    assert {re.sub(r" \(\d+\)$", "", option) for option in options} == set(HOSTILE)


@pytest.mark.parametrize(
    "summary",
    [
        {"checkpoint": 5, "config": [1], "data": "x", "model": [], "versions": None, "leakage": 3},
        {"checkpoint": "", "config": {"data": {"root": 7}}, "model": {"fusion": 3}},
        {"config": {"data": {"dataset": {"a": 1}}}, "seed": {"a": [1]}, "git_commit": 7},
    ],
)
def test_an_odd_summary_does_no_harm(summary: dict[str, object], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", draw_results(10), **summary)
    assert main(["report", str(run), *FEW]) == 0
    read_page(run / "test" / "report.html")


def test_what_cannot_be_reported(
    drawn_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = drawn_runs / "rmi-0"
    truncated, broken, folder = (tmp_path / name for name in ("truncated", "broken", "folder"))
    for copy in (truncated, broken):
        shutil.copytree(good, copy)
    parquet = truncated / "test" / "results.parquet"
    parquet.write_bytes(parquet.read_bytes()[:-100])
    (broken / "test" / "summary.json").write_text('{"metrics": ')
    folder.mkdir()
    cases = {
        (str(truncated),): "results.parquet cannot be read",
        (str(broken),): "summary.json is not complete JSON",
        (str(tmp_path / "none"),): "is absent",
        (str(folder),): "got none; make it with `refseg test",
        (str(good), "--splits", "testA"): "has no split 'testA'",
        (str(good), "--output", str(folder)): "name another file with --output",
        (str(good), "--metric", "iou"): "precision@X",
    }
    for words, told in cases.items():
        assert main(["report", *words, *FEW]) == 2, words
        captured = capsys.readouterr()
        assert told in captured.err
        assert captured.err.startswith("refseg: error: ")
        assert captured.err.count("\n") == 1, "one message"
        assert captured.out == ""
    assert not list(folder.iterdir())
