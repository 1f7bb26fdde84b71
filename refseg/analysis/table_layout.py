"""How tables of a comparison look on the terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text


def ruled(heading: str) -> Table:
    """A table without columns but the first, with a line below its heading.

    Args:
        heading: of the first column.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    table.add_column(heading, overflow="fold")
    return table


def titled(title: str, table: Table | Group, caption: str = "") -> Group:
    """A table with text above and below, which may be wider than a narrow table.

    Args:
        title: printed above.
        table: one or several.
        caption: printed below.
    """
    below = [Text(caption, style="dim")] if caption else []
    return Group(Text(title, style="bold"), "", table, *below, "")
