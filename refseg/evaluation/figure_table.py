"""A table of figures that stay whole on a terminal of any width."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_WIDE = 10_000  # characters: as if there were room for everything


class FigureTable:
    """Rows of figures under headings; where they are too wide, the table is turned, then listed.

    Rich's own table cuts figures with dots where it has no room, or breaks them over lines: half a
    figure is worse than none.

    Args:
        corner: what stands above the names of the rows, such as the unit.
        headings: of the columns.
        title: printed above.

    Example:
        >>> table = FigureTable("in %", ["mean IoU", "P@0.5", "P@0.9"])
        >>> table.add_row("val", "61.23", "70.00", "12.50")
        >>> for width in (40, 20):
        ...     Console(width=width).print(table)  # doctest: +NORMALIZE_WHITESPACE
        <BLANKLINE>
         in %  mean IoU  P@0.5  P@0.9
         ────────────────────────────
         val      61.23  70.00  12.50
        <BLANKLINE>
        <BLANKLINE>
         in %        val
         ───────────────
         mean IoU  61.23
         P@0.5     70.00
         P@0.9     12.50
        <BLANKLINE>
    """

    def __init__(self, corner: str, headings: Sequence[str], title: str | None = None) -> None:
        self.corner, self.headings, self.title = corner, list(headings), title
        self.rows: list[tuple[str, Sequence[str]]] = []

    def add_row(self, name: str, *figures: str) -> None:
        """Add the figures of a split or a model, one for each heading."""
        self.rows.append((name, figures))

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The first layout that has room for all figures."""

        def has_room(layout: Table) -> bool:
            wide = options.update_width(_WIDE)
            return Measurement.get(console, wide, layout).maximum <= options.max_width

        fitting = next(filter(has_room, self._layouts()), None)
        if fitting is not None:
            yield fitting
            return
        if self.title is not None:
            yield Text(self.title, style="italic", overflow="fold")
        for name, figures in self.rows:
            yield Text(f"{name}, {self.corner}" if self.corner else name, "bold", overflow="fold")
            yield from self._listed(figures, has_room)
            yield Text()

    def _layouts(self) -> Iterator[Table]:
        """The best first: as it is, with broken headings, with less space; then the same turned."""
        turned = zip(*(figures for _, figures in self.rows), strict=True)
        names = [name for name, _ in self.rows]
        ways = (self.headings, self.rows), (names, list(zip(self.headings, turned, strict=True)))
        for headings, rows in ways:
            for broken, space in ((False, 1), (True, 1), (True, 0)):
                yield self._table(headings, rows, broken, space)

    def _table(
        self,
        headings: Sequence[str],
        rows: Sequence[tuple[str, Sequence[str]]],
        broken: bool,
        space: int,
    ) -> Table:
        def shown(name: str) -> Text:
            return Text(_in_lines(name) if broken else name)

        table = Table(
            title=self.title,
            box=box.SIMPLE_HEAD,
            padding=(0, space),
            collapse_padding=True,
            pad_edge=False,
        )
        table.add_column(shown(self.corner), no_wrap=True)
        for heading in headings:
            table.add_column(shown(heading), justify="right", no_wrap=True)
        for name, figures in rows:
            table.add_row(shown(name), *map(Text, figures))
        return table

    def _listed(
        self, figures: Sequence[str], has_room: Callable[[Table], bool]
    ) -> Iterator[RenderableType]:
        """One below the other; each in a line of its own, below its heading, where it must."""
        listed = Table.grid(padding=(0, 1))
        listed.add_column(no_wrap=True)
        listed.add_column(justify="right", no_wrap=True)
        for heading, figure in zip(self.headings, figures, strict=True):
            listed.add_row(Text(heading), Text(figure))
        if has_room(listed):
            yield listed
            return
        for heading, figure in zip(self.headings, figures, strict=True):
            yield Text(heading, overflow="fold")
            yield Text(figure.strip(), justify="right", overflow="fold")


def _in_lines(name: str) -> str:
    """As narrow as its longest word; a unit stays beside what it belongs to."""
    words = re.sub(r" (?=%)", "\N{NO-BREAK SPACE}", name).split(" ")
    return textwrap.fill(" ".join(words), max(map(len, words), default=1) or 1)
