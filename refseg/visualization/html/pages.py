"""Web pages in one file: figures, tables and text, readable without a network."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from refseg.files import write_text
from refseg.visualization.html.markup import Html, HtmlTable
from refseg.visualization.html.rendering import render

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
_CONFIG = {"displayModeBar": False, "responsive": True}


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
    """Sections that are folded under a heading until a reader opens it, or prints the page.

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

    numbers = itertools.count()
    page = render(
        "page.html",
        title=title,
        subtitle=subtitle,
        tiles=tiles,
        parts=[_laid_out(part, numbers) for part in sections],
        lead=lead,
        notes=notes,
        unseen=unseen,
        style=Html(_STYLE),
        plotly=Html(get_plotlyjs()),
        script=Html(_SCRIPT + script),
    )
    write_text(path, page.markup + "\n")


class _LaidOut(NamedTuple):
    """A section as the template takes it."""

    title: str
    text: str
    contents: list[Html]
    is_wide: bool


class _LaidOutFold(NamedTuple):
    """A fold as the template takes it."""

    title: str
    sections: list[_LaidOut]


def _laid_out(part: Section | Fold, numbers: Iterator[int]) -> _LaidOut | _LaidOutFold:
    if isinstance(part, Section):
        return _laid_out_section(part, numbers)
    sections = [_laid_out_section(section, numbers) for section in part.sections]
    return _LaidOutFold(part.title, sections)


def _laid_out_section(section: Section, numbers: Iterator[int]) -> _LaidOut:
    contents = section.content if isinstance(section.content, list) else [section.content]
    is_wide = section.wide
    if is_wide is None:
        is_wide = isinstance(contents[0], HtmlTable | Html)
    markup = [_content(content, section.title, numbers) for content in contents]
    return _LaidOut(section.title, section.text, markup, is_wide)


def _content(content: "Figure | HtmlTable | Html", title: str, numbers: Iterator[int]) -> Html:
    if isinstance(content, Html):
        return content
    if isinstance(content, HtmlTable):
        return render("table.html", table=content, title=title)
    chart = content.to_html(
        full_html=False,
        include_plotlyjs=False,
        config=_CONFIG,
        div_id=f"figure-{next(numbers)}",
    )
    return render("chart.html", chart=Html(chart), title=title)


def folded(summary: str, table: HtmlTable, title: str) -> Html:
    """A table inside of a section, which a reader unfolds.

    Args:
        summary: what it is.
        table: what is shown.
        title: what it is, read out: no other table of the page has the same.
    """
    inside = render("table.html", table=table, title=title)
    return render("folded.html", summary=summary, inside=inside)
