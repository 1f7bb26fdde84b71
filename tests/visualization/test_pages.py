"""Pages are whole, need no network, and show nothing unescaped."""

import re
from html.parser import HTMLParser

import pytest

from refseg.visualization import HtmlTable, Section, bar_chart, write_page

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


def test_the_figure_and_what_draws_it_are_inside(page: str) -> None:
    assert page.count('id="figure-0"') == 1
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000
