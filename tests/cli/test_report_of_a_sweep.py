"""The page of a sweep: eight models with three seeds each, against what is counted here."""

import json
from xml.etree.ElementTree import Element

import pyarrow as pa
import pytest

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import write_results

from ..analysis.fake_results import draw_results
from .report_pages import cells, read_page, section, text_of

MODELS = [f"model_{number}" for number in range(8)]
SEEDS = range(3)
FEW = ("--resamples", "100", "--cases", "2", "--strips", "1")


def table_of(number: int, seed: int) -> pa.Table:
    """The higher the number, the better the model; seeds differ by little."""
    return draw_results(60, noise=10 * number + seed, skill=0.25 * number)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Element:
    folder = tmp_path_factory.mktemp("sweeps") / "fusion"
    runs = []
    for number, model in enumerate(MODELS):
        for seed in SEEDS:
            name = f"{model}-{seed}"
            evaluation = folder / name / "validate"
            write_results(evaluation / "results.parquet", table_of(number, seed))
            summary = {"protocol": "standard", "seed": seed, "model": {"fusion": f"F{number}"}}
            (evaluation / "summary.json").write_text(json.dumps(summary))
            runs.append({"folder": name, "model": model, "seed": seed, "finished": True})
    (folder / "sweep.json").write_text(json.dumps({"sweep": "fusion", "runs": runs}))
    assert main(["report", str(folder), "--baseline", MODELS[1], *FEW]) == 0
    return read_page(folder / "report.html")


def plain(table: Element) -> list[list[str]]:
    """The cells without the spaces that keep figures together."""
    return [[cell.replace("\u00a0", " ") for cell in row] for row in cells(table)]


def mean(metric: str, number: int) -> float:
    figures = [figures_of(table_of(number, seed))["val"][metric] for seed in SEEDS]
    return 100 * sum(figures) / len(figures)


def test_a_row_for_each_model_and_the_baseline_first(page: Element) -> None:
    heads, *rows = plain(section(page, "Figures on val").find(".//table"))
    assert heads[:4] == ["model", "overall IoU", "mean IoU", "P@0.5"]
    order = [MODELS[1], MODELS[0], *MODELS[2:]]
    assert [row[0] for row in rows] == order
    for name, *values in rows:
        for metric, value in zip(
            ("overall_iou", "mean_iou", "precision@0.5"), values, strict=False
        ):
            assert value.split(" ")[0] == f"{mean(metric, MODELS.index(name)):.2f}"


def test_the_highest_of_a_column_is_bold(page: Element) -> None:
    table = section(page, "Figures on val").find(".//table")
    for row in list(table.iter("tr"))[1:]:
        name = "".join(row.find("th").itertext())
        assert (row.find("td/b") is not None) == (name == MODELS[-1])


def test_the_verdict_names_the_best(page: Element) -> None:
    (lead,) = [p.text for p in page.iter("p") if p.get("class") == "lead"]
    assert lead.replace("\u00a0", " ").startswith(
        f"In overall IoU on val, {MODELS[-1]} is the highest of 8 models "
        f"({mean('overall_iou', 7):.2f} %), better than "
    )
    assert page.find(".//h1").text == "fusion: 8 models compared"


def test_every_two_models(page: Element) -> None:
    found = section(page, "Every two models on val")
    heads, *rows = plain(found.find(".//table"))
    assert heads[1:] == [row[0] for row in rows]
    values = [mean("overall_iou", MODELS.index(row[0])) for row in rows]
    for one, (_, *of_row) in enumerate(rows):
        for other, cell in enumerate(of_row):
            if one == other:
                assert cell == ""
                continue
            points, p_value = cell.split("p ")
            assert float(points) == pytest.approx(values[one] - values[other], abs=0.006)
            assert p_value == rows[other][1 + one].split("p ")[1]
    for cell in found.find(".//table").iter("td"):
        if text := "".join(cell.itertext()).replace("\u00a0", " "):
            sign, number = text.split("p ")[1].split(" ")
            is_clear = sign == "<" or float(number) < 0.05
            assert (cell.find("b") is not None) == is_clear
    assert "all 28 pairs" in text_of(found)


def test_breakdowns_have_a_row_for_each_model(page: Element) -> None:
    found = section(page, "By length of the expression, in words")
    heads, *rows = plain(found.find(".//table"))
    assert [head.split(", n")[0] for head in heads[1:]] == ["1–3", "4–6", "7–9", "≥ 10"]
    assert len(rows) == 8
    table = table_of(7, 0)
    long = [table_of(7, seed).filter(pa.array(table["words"].to_numpy() > 9)) for seed in SEEDS]
    wanted = sum(figures_of(one)["val"]["overall_iou"] for one in long) / 3
    assert rows[-1][4].split(" ")[0] == f"{100 * wanted:.2f}"
    assert f"{MODELS[-1]} is the highest" in text_of(found) or "The highest is" in text_of(found)


def test_it_is_said_what_intervals_and_p_values_cover(page: Element) -> None:
    text = text_of(section(page, "Figures on val"))
    assert "with other images and the same seeds" in text
    assert "the spread pooled over all models" in text


def test_each_table_has_a_scroll_container_of_its_own(page: Element) -> None:
    containers = [box for box in page.iter("div") if box.get("class") == "scroll"]
    assert len(containers) == len(list(page.iter("table"))) > 12
    assert all(box[0].tag == "table" and len(box) == 1 for box in containers)
    for table in page.iter("table"):
        for row in table.iter("tr"):
            assert row[0].tag == "th", "the first column names the row"


def test_as_many_pictures_as_are_affordable(page: Element) -> None:
    groups = section(page, "Gallery").findall(".//h3")
    assert [group.text for group in groups] == [
        "Where the models differ the most",
        "Drawn at random",
    ]
    cards = list(section(page, "Gallery").iter("figure"))
    assert 2 < len(cards) <= 4
    for card in cards:
        views = [box for box in card.iter("div") if box.get("class") == "view"]
        assert len(views) == 8
    titles = [heading.text for heading in page.iter("h2")]
    assert sum("ord by word" in title for title in titles) == 1, "all in one: no checkpoint"


def test_what_was_run_has_a_row_for_each_run(page: Element) -> None:
    same, each = (plain(table) for table in section(page, "What was run").iter("table"))
    assert ["protocol", "standard"] in same
    assert len(each) == 1 + 24
    assert each[0][:3] == ["run", "fusion", "seed"]
    assert each[-1][:3] == ["model_7 (run 3)", "F7", "2"]
