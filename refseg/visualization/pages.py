"""Web pages in one file: figures, tables and text, readable without a network."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.files import write_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_CONFIG = {"displayModeBar": False, "responsive": True}
# A printed page is narrower than the window: figures are drawn anew for it, and back again.
_SCRIPT = """
const figures = () => document.querySelectorAll('.js-plotly-plot');
const redraw = () => figures().forEach(figure => Plotly.Plots.resize(figure));
addEventListener('beforeprint', () => figures().forEach(
  figure => Plotly.relayout(figure, {width: 640})));
addEventListener('afterprint', () => figures().forEach(
  figure => Plotly.relayout(figure, {autosize: true, width: null}).then(redraw)));
"""


@dataclass(frozen=True)
class HtmlTable:
    """A table of texts; a row without cells is a heading for those below it.

    Args:
        heads: of the columns.
        rows: a label and one text per further column.
    """

    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        text: a sentence or two below it; may be empty.
        content: a figure or a table.
    """

    title: str
    text: str
    content: "Figure | HtmlTable"


def write_page(
    path: Path,
    title: str,
    subtitle: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section],
) -> None:
    """Write a page that needs nothing but itself: styles, figures and the code that draws them.

    It follows the reader's choice of dark or light, fits a phone, and prints in black on white.

    Args:
        path: of the file; it appears whole or not at all.
        title: of the page.
        subtitle: the line below.
        tiles: the figures that matter most, each a value and what it counts.
        sections: in reading order.
    """
    from plotly.offline import get_plotlyjs

    big = "".join(
        f"<div><dd>{html.escape(value)}</dd><dt>{html.escape(name)}</dt></div>"
        for value, name in tiles
    )
    body = "".join(_section(section, number) for number, section in enumerate(sections))
    write_text(
        path,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<main>\n<header>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p></header>\n"
        f"<dl>{big}</dl>\n{body}</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n",
    )


def _section(section: Section, number: int) -> str:
    if isinstance(section.content, HtmlTable):
        content, kind = _table(section.content), "wide"
    else:
        content = section.content.to_html(
            full_html=False, include_plotlyjs=False, config=_CONFIG, div_id=f"figure-{number}"
        )
        kind = "figure"
    text = f"<p>{html.escape(section.text)}</p>" if section.text else ""
    return (
        f'<section class="{kind}"><h2>{html.escape(section.title)}</h2>{text}{content}</section>\n'
    )


def _table(table: HtmlTable) -> str:
    heads = "".join(f"<th scope=col>{html.escape(head)}</th>" for head in table.heads)
    rows = []
    for label, cells in table.rows:
        if cells:
            values = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            rows.append(f"<tr><th scope=row>{html.escape(label)}</th>{values}</tr>")
        else:
            span = f"colspan={len(table.heads)}"
            rows.append(
                f'<tr class="group"><th scope=rowgroup {span}>{html.escape(label)}</th></tr>'
            )
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
