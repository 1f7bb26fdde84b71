"""Web pages in one file: figures, tables and text, readable without a network."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.files import write_text
from refseg.visualization.html.markup import Html, HtmlTable, escaped, table_markup, unbroken

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
_CONFIG = {"displayModeBar": False, "responsive": True}
# Whatever a page holds, it asks nobody for anything.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        text: a sentence or two below it; may be empty.
        content: a figure, a table or other markup, or several of them.
        wide: as wide as the page; by default all are but those that begin with a figure.
    """

    title: str
    text: str
    content: "Figure | HtmlTable | Html | list[Figure | HtmlTable | Html]"
    wide: bool | None = None


@dataclass(frozen=True)
class Fold:
    """Sections that are folded away under a heading until a reader, or a printer, wants them.

    Args:
        title: of all of them.
        sections: in reading order.
    """

    title: str
    sections: Sequence[Section]


def write_page(
    path: Path,
    title: str,
    subtitle: str,
    tiles: Sequence[tuple[str, str]],
    sections: Sequence[Section | Fold],
    lead: Sequence[str] = (),
    notes: Sequence[str] = (),
    script: str = "",
    unseen: Html | None = None,
) -> None:
    """Write a page that needs nothing but itself: styles, figures and the code that draws them.

    It follows the reader's choice of dark or light, fits a phone, and prints in black on white.

    Args:
        path: of the file; it appears whole or not at all.
        title: of the page.
        subtitle: the line below.
        tiles: the figures that matter most, each a value and what it counts.
        sections: in reading order.
        lead: what it all comes to, a sentence each.
        notes: what a reader should know before believing it.
        script: what else the page does.
        unseen: what the sections refer to.
    """
    from plotly.offline import get_plotlyjs

    big = "".join(
        f"<div><dd>{escaped(value)}</dd><dt>{escaped(name)}</dt></div>" for value, name in tiles
    )
    numbers = itertools.count()
    body = "".join(_part(section, numbers) for section in sections)
    leads = "".join(f'<p class="lead">{unbroken(sentence)}</p>' for sentence in lead)
    warnings = "".join(f"<li>{unbroken(note)}</li>" for note in notes)
    write_text(
        path,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{_STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<main>\n<header>"
        f"<h1>{escaped(title)}</h1><p>{escaped(subtitle)}</p>{leads}</header>\n"
        + (f'<ul class="notes" aria-label="Notes">{warnings}</ul>\n' if warnings else "")
        + (f"<dl>{big}</dl>\n" if big else "")
        + "<noscript><p>Without JavaScript the charts and the filter are missing; the tables have "
        "the same figures.</p></noscript>\n"
        f"{body}</main>\n{unseen.markup if unseen else ''}\n"
        f"<script>\n{_SCRIPT}{script}</script>\n</body>\n</html>\n",
    )


def _part(part: Section | Fold, numbers: Iterator[int]) -> str:
    if isinstance(part, Section):
        return _section(part, numbers)
    inside = "".join(_section(section, numbers) for section in part.sections)
    return (
        f'<details class="fold"><summary><h2>{escaped(part.title)}</h2></summary>'
        f'<div class="grid">{inside}</div></details>\n'
    )


def _section(section: Section, numbers: Iterator[int]) -> str:
    contents = section.content if isinstance(section.content, list) else [section.content]
    is_wide = section.wide
    if is_wide is None:
        is_wide = isinstance(contents[0], HtmlTable | Html)
    inside = "".join(_content(content, section.title, numbers) for content in contents)
    text = f"<p>{unbroken(section.text)}</p>" if section.text else ""
    kind = "wide" if is_wide else "figure"
    return f'<section class="{kind}"><h2>{escaped(section.title)}</h2>{text}{inside}</section>\n'


def _content(content: "Figure | HtmlTable | Html", title: str, numbers: Iterator[int]) -> str:
    if isinstance(content, Html):
        return content.markup
    if isinstance(content, HtmlTable):
        return table_markup(content, title)
    chart = content.to_html(
        full_html=False,
        include_plotlyjs=False,
        config=_CONFIG,
        div_id=f"figure-{next(numbers)}",
    )
    return f'<div class="chart" role="img" aria-label="Chart: {escaped(title)}">{chart}</div>'


def folded(summary: str, table: HtmlTable, title: str) -> Html:
    """A table inside of a section, which a reader unfolds.

    Args:
        summary: what it is.
        table: what is shown.
        title: what it is, read out: no other table of the page has the same.
    """
    inside = table_markup(table, title)
    return Html(f"<details><summary>{escaped(summary)}</summary>{inside}</details>")
