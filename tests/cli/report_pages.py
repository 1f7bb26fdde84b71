"""A page of `refseg report` as a reader finds it, and runs to report on."""

import json
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pyarrow as pa
from plotly.offline import get_plotlyjs

from refseg.evaluation.results import write_results

FEW = ("--resamples", "100", "--cases", "2", "--strips", "1")


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
