"""How benchmarks show and write what they measured."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from refseg.benchmarks.turns import Spread


def figure_table(first: str, *heads: str) -> "Table":
    """An empty table, with names on the left and figures on the right.

    Args:
        first: head of the names.
        heads: of the figures.
    """
    from rich.table import Table

    table = Table(box=None)
    table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def as_json(row: object) -> dict[str, object]:
    """The fields of what was measured.

    Args:
        row: of a dataclass.
    """
    from refseg.benchmarks.turns import Spread

    return {
        name: value._asdict() if isinstance(value, Spread) else value
        for name, value in vars(row).items()
    }


def milliseconds(seconds: "Spread", digits: int = 1) -> str:
    """The median.

    Args:
        seconds: of some rounds.
        digits: behind the point.
    """
    return f"{1000 * seconds.median:,.{digits}f} ms"


def spread_text(ratio: "Spread") -> str:
    """The median, with the least and the most."""
    return f"{ratio.median:.2f} ({ratio.least:.2f}–{ratio.most:.2f})"
