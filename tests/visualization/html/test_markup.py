"""Nothing from outside becomes markup."""

import json
from xml.etree.ElementTree import Element

import html5lib
import pytest

from refseg.visualization.html.markup import (
    Html,
    HtmlTable,
    breakable,
    escaped,
    inert_json,
    unbroken,
)
from refseg.visualization.html.rendering import render

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "&lt;b&gt; &amp; <!-- --> ]]>",
    "\u202eright to left\u202c שלום עליכם",
    "🦄 \u2028 \u2029",
    "<b>bold</b>",
]


def parsed(markup: str) -> Element:
    """The body, read as browsers do; what is not right is an error."""
    page = f"<!DOCTYPE html><html><head><title>x</title></head><body>{markup}</body></html>"
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    for element in tree.iter():
        if isinstance(element.tag, str):  # comments have none
            element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
    return tree.find("body")


def _rendered(template: str, **values: object) -> str:
    return render(f"{template}.html", **values).markup


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_and_attributes_come_back_as_they_were(text: str) -> None:
    markup = _rendered("hash", text=text) + _rendered("link", text=text, address="a")
    code, link = parsed(markup)
    assert code.get("title") == link.text == text
    assert code.text == text[:12]
    assert len(code) == len(link) == 0
    (details,) = parsed(_rendered("config", name=text, text=text, number=3))
    assert details.find("summary").text == f"Config of {text}"
    assert details.find("pre/code").text == text


def test_control_characters_are_replaced() -> None:
    assert escaped("a\x00b\x1bc\n") == "a\ufffdb\ufffdc\n"


def test_figures_are_not_broken_over_lines() -> None:
    text = "a <b> [c, d] 61.52 [+59.1, -0.3] in 4 % of all, see --only_shared, x--y"
    expected = "a &lt;b&gt; [c, d] 61.52 [+59.1,\u00a0-0.3] in 4\u00a0% of all, see "
    assert unbroken("(p = 0.3) for ≥ 3") == "(p\u00a0=\u00a00.3) for ≥\u00a03"
    assert unbroken("< 0.001") == "&lt;\u00a00.001"
    assert unbroken("1, n = 1,500") == "1, n\u00a0=\u00a01,500"
    assert unbroken("61.5 ± 0.4") == "61.5\u00a0±\u00a00.4"
    assert unbroken("for 7–9.") == 'for <span class="whole">7–9</span>.'
    assert unbroken("a<= 3, a = b") == "a&lt;= 3, a = b"
    assert unbroken("`<a>` and `b` `") == "<code>&lt;a&gt;</code> and <code>b</code> `"
    assert unbroken(text) == expected + '<span class="whole">--only_shared</span>, x--y'


def test_long_names_may_end_their_line_at_an_underscore() -> None:
    (cell,) = parsed(f"<p>{breakable('a_long__name <b>')}</p>")
    assert "".join(cell.itertext()) == "a_long__name <b>"
    assert [(element.tag, element.tail) for element in cell] == [
        ("wbr", "long__"),
        ("wbr", "name <b>"),
    ]


def test_data_for_scripts_ends_no_element() -> None:
    content = {"texts": HOSTILE, "numbers": [1, 2.5, None]}
    markup = f'<script type="application/json">{inert_json(content).markup}</script>'
    (script,) = parsed(markup)
    assert script.tag == "script"
    assert script.get("type") == "application/json"
    assert json.loads(script.text) == content


def test_a_table_is_escaped_but_for_markup() -> None:
    table = HtmlTable(["", HOSTILE[0]], [(HOSTILE[1], [HOSTILE[2]]), ("b", [Html("<i>x</i>")])])
    (box,) = parsed(render("table.html", table=table, title=HOSTILE[3]).markup)
    texts = ["".join(cell.itertext()) for cell in box.iter() if cell.tag in ("th", "td")]
    assert texts == ["", HOSTILE[0], HOSTILE[1], HOSTILE[2], "b", "x"]
    assert box.get("aria-label") == HOSTILE[3]
    assert [cell.tag for cell in box.iter() if cell.tag == "i"] == ["i"]
