"""The tables of a comparison of many models: a row for each of them; in percent and points."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from refseg.analysis.all_pairs import AllPairs, gain_over
from refseg.analysis.comparison import Gain, Part
from refseg.analysis.figure_texts import percent
from refseg.analysis.table_layout import ruled, titled
from refseg.analysis.verdict import THRESHOLD
from refseg.evaluation.tables import metric_title

_BETWEEN = 2  # characters from column to column
_CLEAR = "*"


def pairs_table(split: str, metric: str, pairs: AllPairs, width: int) -> Group:
    """The difference of every two models: that of the row minus that of the column.

    Args:
        split: over which they are compared.
        metric: that is compared.
        pairs: every two models.
        width: of the terminal, in characters.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    heads = [str(number) for number, _ in enumerate(names, start=1)]
    rows = [
        (
            f"{number} {name}",
            [_points(None if name == other else gain_over(pairs, name, other)) for other in names],
        )
        for number, name in enumerate(names, start=1)
    ]
    title = f"{split}: {metric_title(metric)}, row minus column, in points"
    caption = f"{_CLEAR} p < 0.05 after Holm's correction over all {len(pairs)} pairs"
    return titled(title, _tables("minus", heads, rows, width), caption)


def groups_table(parts: Sequence[Part], metric: str, width: int) -> Group:
    """The figures of all models in each group of a breakdown; the highest of a group is bold.

    Args:
        parts: the groups of one breakdown of one split.
        metric: of the breakdown.
        width: of the terminal, in characters.
    """
    names = list(parts[0].figures[metric])
    values = [{n: part.figures[metric][n].interval.value for n in names} for part in parts]
    rows = [
        (
            name,
            [
                Text(percent(group[name]), "bold" if group[name] == max(group.values()) else "")
                for group in values
            ],
        )
        for name in names
    ]
    title = f"{parts[0].split} by {parts[0].by}: {metric_title(metric)}, in %"
    return titled(title, _tables("model", _heads(parts), rows, width))


def gains_table(parts: Sequence[Part], metric: str, width: int, first: str) -> Group:
    """How far the first model is above each other one, in each group of a breakdown.

    Args:
        parts: the groups of one breakdown of one split.
        metric: of the breakdown.
        width: of the terminal, in characters.
        first: name of the first model.
    """
    others = list(parts[0].gains[metric])
    rows = [(other, [_points(part.gains[metric][other]) for part in parts]) for other in others]
    title = f"{parts[0].split} by {parts[0].by}: {first} leads by, in points"
    caption = f"{_CLEAR} p < 0.05 after Holm's correction over the groups"
    return titled(title, _tables("model", _heads(parts), rows, width), caption)


def _heads(parts: Sequence[Part]) -> list[str]:
    return [
        f"{part.group.replace(' (', chr(10) + '(')}\nn = {part.expressions:,}" for part in parts
    ]


def _points(gain: Gain | None) -> Text:
    if gain is None:
        return Text("")
    is_clear = gain.p_value < THRESHOLD
    text = f"{100 * gain.difference.value:+.1f}{_CLEAR if is_clear else ' '}"
    return Text(text, "bold" if is_clear else "")


def _tables(
    heading: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[Text]]], width: int
) -> Group:
    """One table, or as many below each other as the columns need to fit the width."""
    left = max(len(heading), *(len(label) for label, _ in rows))
    wide = [
        _BETWEEN
        + max(*(len(line) for line in head.splitlines()), *(len(row[place]) for _, row in rows))
        for place, head in enumerate(heads)
    ]
    blocks: list[list[int]] = [[]]
    for place in range(len(heads)):
        used = left + sum(wide[other] for other in [*blocks[-1], place])
        if blocks[-1] and used > width:
            blocks.append([])
        blocks[-1].append(place)
    tables: list[Table | str] = []
    for block in blocks:
        table = ruled(heading)
        for place in block:
            table.add_column(Text(heads[place]), justify="right", no_wrap=True)
        for label, cells in rows:
            table.add_row(Text(label), *(cells[place] for place in block))
        tables += [*([""] if tables else []), table]
    return Group(*tables)
