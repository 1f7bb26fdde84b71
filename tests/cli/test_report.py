"""`refseg report`: what stands on the page, for runs of all kinds."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import RLE, read_results, write_results
from refseg.evaluation.word_curves import as_shares

from ..analysis.fake_results import HEIGHT, WIDTH, draw_results
from ..visualization.html.test_markup import HOSTILE

FEW = ("--resamples", "100", "--cases", "2", "--strips", "1")
ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction"}


def read_page(path: Path) -> Element:
    """The page as a browser reads it; markup that is not right is an error."""
    text = path.read_text(encoding="utf-8")
    assert text.count(get_plotlyjs()) == 1
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(text.replace(get_plotlyjs(), ""))
    for element in tree.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
    return tree


def text_of(element: Element) -> str:
    """What a reader sees of it, scripts and styles left out."""
    if element.tag in {"script", "style"}:
        return element.tail or ""
    inside = "".join(text_of(child) for child in element)
    return (element.text or "") + inside + (element.tail or "")


def section(page: Element, title: str) -> Element:
    (found,) = [s for s in page.iter("section") if s.find("h2").text == title]
    return found


def cells(table: Element) -> list[list[str]]:
    return [
        ["".join(cell.itertext()) for cell in row if cell.tag in {"th", "td"}]
        for row in table.iter("tr")
    ]


def write_run(folder: Path, table: pa.Table, **summary: object) -> Path:
    """Results without images, data or checkpoint."""
    write_results(folder / "test" / "results.parquet", table)
    (folder / "test" / "summary.json").write_text(json.dumps({"protocol": "standard", **summary}))
    return folder


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


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fakes")
    for seed in range(2):
        write_run(root / f"rmi-{seed}", draw_results(60, noise=seed, skill=0.5))
        write_run(root / f"lstm-{seed}", draw_results(60, noise=10 + seed))
    return root


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


def test_two_runs_with_a_paired_comparison(
    fakes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.html"
    runs = [str(fakes / "rmi-0"), str(fakes / "lstm-0")]
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


def test_three_runs_stand_below_each_other(fakes: Path, tmp_path: Path) -> None:
    path = tmp_path / "three.html"
    runs = [str(fakes / name) for name in ("rmi-0", "lstm-0", "lstm-1")]
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


def test_after_crf_the_page_says_so(fakes: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fakes / "rmi-0", tmp_path / "rmi")
    shutil.copy(fakes / "rmi-1" / "test" / "results.parquet", folder / "test/results_crf.parquet")
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


def test_a_run_without_images_data_or_checkpoint(fakes: Path) -> None:
    assert main(["report", str(fakes / "rmi-1"), *FEW]) == 0
    page = read_page(fakes / "rmi-1" / "test" / "report.html")
    notes = [item.text for item in page.find(".//ul[@class='notes']")]
    assert any(note.startswith("The true masks are not shown: ") for note in notes)
    assert any("images cannot be read" in note for note in notes)
    title, *said = filter(None, text_of(section(page, "Word by word")).splitlines())
    assert title == "Word by word"
    assert len(said) == 1
    assert "the checkpoint is absent" in said[0]
    assert "prediction not known" in text_of(section(page, "Gallery"))


def test_seeds(fakes: Path, tmp_path: Path) -> None:
    path = tmp_path / "seeds.html"
    runs = [f"{name}={fakes / name}-{seed}" for name in ("rmi", "lstm") for seed in range(2)]
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
    fakes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = fakes / "rmi-0"
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


def test_masks_of_a_large_run_may_be_left_out(fakes: Path, tmp_path: Path) -> None:
    """`rle` in one run and not in the other."""
    table = draw_results(60, noise=3)
    run = write_run(tmp_path / "b", table.append_column(RLE, pa.array([b""] * len(table))))
    path = tmp_path / "page.html"
    words = ["report", str(fakes / "rmi-0"), str(run), "--output", str(path), *FEW, "--cases", "0"]
    assert main(words) == 0
    titles = [heading.text for heading in read_page(path).iter("h2")]
    assert "Gallery" not in titles
    assert "Find expressions" in titles
