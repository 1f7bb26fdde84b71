"""The page in a real browser: what only shows when scripts and styles are at work."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import write_results
from refseg.visualization import Section, bar_chart, write_page

from ..analysis.fake_results import HEIGHT, WIDTH, draw_results
from ..visualization.html.test_markup import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TEXTS = ["The left, red dog", "leftmost CAT", "right-hand cup", "das große Ähre-Feld", "左边的狗"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    drawn = draw_results(30)
    count = len(drawn)
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    changes = {
        "expression": pa.array(([*TEXTS, *HOSTILE] * count)[:count]),
        "category": pa.array((["dog", "cat", HOSTILE[0]] * count)[:count]),
        "image_path": pa.array([str(folder / "noise.png")] * count).dictionary_encode(),
        "split": pa.array((["val", "testA"] * count)[:count]).dictionary_encode(),
    }
    for name, values in changes.items():
        drawn = drawn.set_column(drawn.schema.get_field_index(name), name, values)
    return drawn


@pytest.fixture(scope="module")
def path(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    write_results(folder / "run" / "results.parquet", table)
    page = folder / "page.html"
    words = [f"{HOSTILE[6].replace('/', '')}={folder / 'run'}", "--output", str(page), "--cases=3"]
    assert main(["report", *words, "--resamples=100"]) == 0
    return page


class Opened(NamedTuple):
    """The page, and what has happened on it."""

    page: "Page"
    wrong: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def opened(browser: "Browser", path: Path) -> Opened:
    found = Opened(browser.new_page(), [], [])
    found.page.on("console", lambda message: found.wrong.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.wrong.append(str(error)))
    found.page.on("dialog", lambda dialog: (found.wrong.append(dialog.message), dialog.dismiss()))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(path.as_uri())
    found.page.locator(".js-plotly-plot .main-svg").nth(5).wait_for(state="attached")
    return found


@pytest.fixture
def page(opened: Opened, path: Path) -> "Iterator[Page]":
    """The page as it was opened; after the test, nothing may have gone wrong on it."""
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.page.emulate_media(media="screen", color_scheme="light")
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = false; })")
    opened.page.get_by_role("button", name="Show all").click()
    playwright.expect(opened.page.locator("#filter-listed")).to_be_hidden()
    yield opened.page
    assert opened.wrong == []
    asked = [url for url in opened.requests if not url.startswith(("data:", "blob:"))]
    assert asked == [path.as_uri()]


def shown(page: "Page") -> list[str]:
    """The sentences of the cards that can be seen."""
    cards = page.locator(".card:visible figcaption")
    return list(cards.all_inner_texts())


def figures(page: "Page") -> list[str]:
    return list(page.locator("#filter-figures tbody tr").first.locator("td").all_inner_texts())


def widest(page: "Page", wanted: int) -> int:
    """The width of the page once it is as wanted, or after five seconds: charts follow later."""
    for _ in range(50):
        if page.evaluate("document.documentElement.scrollWidth") <= wanted:
            break
        page.wait_for_timeout(100)
    return int(page.evaluate("document.documentElement.scrollWidth"))


def test_words_filter_pictures_and_figures(page: "Page", table: pa.Table) -> None:
    every = shown(page)
    assert len(every) == 12
    page.get_by_label("Words", exact=True).fill("LEFT")
    texts = table["expression"].to_pylist()
    found = {*TEXTS[:2], HOSTILE[4]}  # "right to left" is one of them
    rows = [text in found for text in texts]
    assert f"{sum(rows)} of {len(texts)} expressions match" in page.inner_text("#filter-count")
    assert shown(page) == [text for text in every if text in found]
    chosen = table.filter(pa.array(rows)).select(["intersection", "union"])
    expected = figures_of(
        chosen.append_column("split", pa.array(["all"] * len(chosen))), thresholds=(0.5,)
    )["all"].values()
    assert figures(page) == [str(sum(rows)), *(f"{100 * value:.2f}" for value in expected)]
    listed = page.locator("#filter-rows tbody tr").all_text_contents()
    worst = sorted(iou for iou, row in zip(table["iou"].to_pylist(), rows, strict=True) if row)
    assert [text[-5:].strip() for text in listed] == [f"{100 * iou:.2f}" for iou in worst[:20]]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("red left", {TEXTS[0]}),
        ("left cat", {TEXTS[1]}),
        ("mos", set()),  # words are found by their beginnings
        ("hand", {TEXTS[2]}),
        ("äh GROSSE", set()),
        ("äh große", {TEXTS[3]}),
        ("狗", {TEXTS[4]}),
        ("<script>", {HOSTILE[0], HOSTILE[1]}),
        ("שלום", {HOSTILE[4]}),
    ],
)
def test_what_is_typed_and_what_is_found(page: "Page", typed: str, expected: set[str]) -> None:
    page.get_by_label("Words", exact=True).fill(typed)
    listed = page.locator("#filter-rows tbody th").all_text_contents()
    assert set(listed) == expected


def test_category_split_empty_and_back(page: "Page", table: pa.Table) -> None:
    every = shown(page)
    page.get_by_label("Category", exact=True).select_option(index=1)
    page.get_by_label("Split", exact=True).select_option(index=1)
    name, split = (
        page.locator(f"#filter-{field} option:checked").inner_text().rpartition(" (")[0]
        for field in ("category", "split")
    )
    both = [
        (row["category"], row["split"]) == (name, split)
        for row in table.select(["category", "split"]).to_pylist()
    ]
    assert figures(page)[0] == str(sum(both))
    assert 0 < len(shown(page)) < len(every) or sum(both) < 10
    page.get_by_label("Words", exact=True).fill("nowhere")
    assert page.locator("#filter-empty").is_visible()
    assert shown(page) == []
    assert not page.locator(".cases:visible").count()
    assert page.get_by_text("None of these matches the filter.").is_visible()
    page.get_by_role("button", name="Show all").click()
    playwright.expect(page.locator("#filter-empty")).to_be_hidden()
    assert not page.locator(".empty:visible").count()
    assert shown(page) == every


def test_the_keyboard_is_enough(page: "Page") -> None:
    page.get_by_label("Words", exact=True).focus()
    page.keyboard.type("cup")
    page.keyboard.press("Enter")  # which must not send the form anywhere
    assert "match" in page.inner_text("#filter-count")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "filter-category"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(page: "Page", width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert widest(page, width) <= width


def test_dark_and_light(page: "Page") -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(color)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(color) != light


def test_paper_shows_all_and_cuts_nothing(page: "Page") -> None:
    page.get_by_label("Words", exact=True).fill("nowhere")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 900})  # A4 between its margins
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_timeout(300)
    assert page.locator("details:not([open])").count() == 0
    assert len(shown(page)) == 12
    assert not page.locator("#filter").is_visible()
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.main-svg, table, .case, img')]"
        ".map(e => e.getBoundingClientRect().right))"
    )
    assert widest <= 680
    assert page.locator(".js-plotly-plot").count() == page.locator(".chart:visible").count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


@pytest.mark.parametrize("models", [2, 3])
def test_tables_of_several_models_fit_screen_and_paper(
    browser: "Browser", tmp_path: Path, models: int
) -> None:
    runs = [tmp_path / f"a_longer_name-{number}" for number in range(models)]
    for number, run in enumerate(runs):
        write_results(run / "results.parquet", draw_results(40, noise=number))
    path = tmp_path / "page.html"
    options = ["--output", str(path), "--cases=0", "--resamples=100"]
    assert main(["report", *map(str, runs), *options]) == 0
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    hidden = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => e.ariaLabel)"
    )
    assert page.locator(".scroll").count() > 6
    assert page.evaluate(hidden) == []
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 900})
    assert page.evaluate(hidden) == []
    page.close()


def test_eight_models_on_a_phone(browser: "Browser", tmp_path: Path) -> None:
    runs = [tmp_path / f"a_longer_name_{number}" for number in range(8)]
    for number, run in enumerate(runs):
        write_results(run / "results.parquet", draw_results(40, noise=number, skill=0.2 * number))
    path = tmp_path / "page.html"
    options = ["--output", str(path), "--cases=0", "--resamples=100"]
    assert main(["report", *map(str, runs), *options]) == 0
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    page.locator(".js-plotly-plot .main-svg").nth(5).wait_for(state="attached")
    assert widest(page, 390) <= 390
    wide = page.locator(".scroll:visible").first
    name, figure = (wide.locator(f"tbody tr:first-child {cell}").first for cell in ("th", "td"))
    before = name.bounding_box(), figure.bounding_box()
    wide.evaluate("box => { box.scrollLeft = 100; }")
    after = name.bounding_box(), figure.bounding_box()
    assert after[0]["x"] == before[0]["x"], "the name stays"
    assert after[1]["x"] == before[1]["x"] - 100
    assert after[0]["width"] < 390 / 2.5
    small = (
        "[...document.querySelectorAll('body *')].filter(e => !e.children.length"
        " && e.textContent.trim() && e.getClientRects().length"
        " && parseFloat(getComputedStyle(e).fontSize) < 13).map(e => e.textContent)"
    )
    assert page.evaluate(small) == []
    lines = (
        "cell => { const range = document.createRange(); range.selectNodeContents(cell);"
        " return range.getClientRects().length; }"
    )
    for cell in wide.locator("td :is(b, small)").all():
        assert cell.evaluate(lines) == 1, "no figure is broken over lines"
    page.close()


def test_bars_without_interval_have_no_line(browser: "Browser", tmp_path: Path) -> None:
    nan = math.nan
    known = bar_chart(["a", "b"], {"x": [0.5, 0.4]}, intervals={"x": [(0.4, 0.6), (0.3, 0.5)]})
    unknown = bar_chart(["a", "b"], {"x": [0.5, 0.4]}, intervals={"x": [(0.4, 0.6), (nan, nan)]})
    sections = [Section("known", "", known), Section("unknown", "", unknown)]
    write_page(tmp_path / "page.html", "Bars", "", [], sections)
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".js-plotly-plot").nth(1).locator("path.yerror").first.wait_for(state="attached")
    for number, count in enumerate((2, 1)):
        drawn = page.locator(".js-plotly-plot").nth(number).locator("path.yerror:not([d=''])")
        assert drawn.count() == count
    page.close()


def test_links_unfold_what_they_lead_to(page: "Page", path: Path) -> None:
    fold = page.locator("details.fold")
    assert fold.count() == 1  # of the second split
    chart = fold.locator(".main-svg").first
    assert not chart.is_visible()
    fold.locator("summary").first.click()
    page.wait_for_timeout(300)
    box, card = chart.bounding_box(), fold.locator("section").first.bounding_box()
    assert 0.7 * card["width"] < box["width"] <= card["width"]
