"""Pages are whole, need no network, and show nothing unescaped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from refseg.visualization import HtmlTable, Section, bar_chart, write_page
from refseg.visualization.html.markup import Html
from refseg.visualization.html.pages import Fold, folded

VOID = {"meta", "link", "br", "img", "input"}


class _Reader(HTMLParser):
    """Checks that tags are closed in order; keeps addresses and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str | None] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data.strip())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "deep" / "page.html"
    sections = [
        Section(
            "Lengths <1>", "Share & more.", bar_chart(["</script>", "b"], {"<i>": [0.5, 0.25]})
        ),
        Section("All", "", HtmlTable(["", "train"], [("size", ()), ("<img>", ["1 & 2"])])),
    ]
    write_page(path, "set <b>", "from a/b", [("12", "images & more")], sections)
    return path.read_text(encoding="utf-8")


def test_tags_are_closed_and_texts_escaped(page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    wanted = ["set <b>", "from a/b", "12", "images & more", "Lengths <1>", "Share & more."]
    wanted += ["All", "train", "size", "<img>", "1 & 2"]
    assert [text for text in wanted if text not in reader.texts] == []
    assert "<i>" not in page


def test_nothing_is_fetched(page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    assert reader.addresses == ["data:,"]  # the empty icon: else browsers ask for one
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_dark_light_phone_and_print(page: str) -> None:
    for wanted in ("prefers-color-scheme: dark", "@media print", "max-width: 720px"):
        assert wanted in page
    assert 'name="viewport"' in page


def test_tables_are_pushed_aside_under_the_names_of_their_rows(page: str) -> None:
    assert page.count("<table") == page.count('<div class="scroll"') == 1
    style = re.search(r"<style>(.*?)@page", page, re.DOTALL)
    assert style
    rule = re.search(r"\nth:first-child {(.*?)}", style[1], re.DOTALL)
    assert rule
    assert "position: sticky; left: 0; background: var(--card)" in rule[1]
    assert ".scroll { overflow-x: auto; }" in style[1]


def test_no_letters_on_a_screen_are_smaller_than_13_pixels(page: str) -> None:
    style = re.search(r"<style>(.*?)@page", page, re.DOTALL)
    assert style
    sizes = re.findall(r"font-size: ([\d.]+)rem", style[1])
    assert len(sizes) == len(re.findall("font-size:", style[1])) > 8, "all of them in rem"
    assert min(map(float, sizes)) * 16 >= 13


def test_the_figure_and_what_draws_it_are_inside(page: str) -> None:
    assert page.count('id="figure-0"') == 1
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000


def test_the_policy_allows_no_request(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule in rules.values():
        assert not re.search(r"http|\*|'self'|file:", rule)


def test_lead_notes_folds_and_several_contents(tmp_path: Path) -> None:
    table = HtmlTable(["metric", "val"], [("IoU", ["1 & 2"])])
    section = Section("Figures", "", [bar_chart(["a"], {"b": [1]}), folded("numbers", table, "t")])
    path = tmp_path / "page.html"
    write_page(
        path,
        "<title>",
        "",
        [],
        [section, Fold("More <i>", [section])],
        lead=["44 % of <b>"],
        notes=["a note & more"],
        script="/* mine */",
        unseen=Html("<svg></svg>"),
    )
    page = path.read_text(encoding="utf-8")
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    wanted = ["<title>", "44\u00a0% of <b>", "a note & more", "More <i>", "numbers", "1 & 2"]
    assert [text for text in wanted if text not in reader.texts] == []
    assert page.count('id="figure-0"') == page.count('id="figure-1"') == 1
    assert page.count('role="img" aria-label="Chart: Figures"') == 2
    assert "/* mine */</script>" in page
