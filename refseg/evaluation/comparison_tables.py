"""A comparison for people, as tables on the terminal; in percent."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from refseg.evaluation.comparison import Figure, Gain, Part
from refseg.evaluation.examples import Example
from refseg.evaluation.significance import Difference
from refseg.evaluation.tables import metric_title
from refseg.evaluation.verdict import THRESHOLD, p_text

_ROOMY = 90  # characters, from which on columns are two characters apart
_WIDE = 100  # characters, from which on a breakdown shows all of its columns
_WIDEST = 110  # … and intervals stand beside standard deviations
_UNKNOWN = "–"


def comparison_table(part: Part, width: int, first: str, other: str | None = None) -> Group:
    """A row for each metric over a whole split, for one model, or for two and their difference.

    Args:
        part: the whole split.
        width: of the terminal, in characters.
        first: name of the first model.
        other: name of the one that it is compared with.
    """
    names = [first] if other is None else [first, other]
    seeds = any(len(figures[name].seeds) > 1 for figures in part.figures.values() for name in names)
    table = _table("metric")
    table.padding = (0, 1 if width >= _ROOMY else 0)
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    noise = False
    if other is not None:
        table.add_column("difference", justify="right", no_wrap=True)
        noise = any(gains[other].noise is not None for gains in part.gains.values())
        table.add_column("p over\nimages" if noise else "p", justify="right", no_wrap=True)
        if noise:
            table.add_column("p over\nseeds", justify="right", no_wrap=True)
    for metric, figures in part.figures.items():
        cells = [metric_title(metric), *(_figure(figures[name], width) for name in names)]
        if other is None:
            table.add_row(*cells)
            continue
        gain = part.gains[metric][other]
        cells_of_noise = [_noise(gain)] if noise else []
        table.add_row(
            *cells, _difference(gain.difference), _p(gain.difference.p_value), *cells_of_noise
        )
    explained = "± standard deviation over the seeds; " if seeds else ""
    title = f"{part.split}: {_extent(part)}, in %"
    return _titled(title, table, f"{explained}[95 % interval over images]")


def overview_table(part: Part, metric: str, width: int) -> Group:
    """A row for each of several models over a whole split, the first of which the others stand by.

    Args:
        part: the whole split.
        metric: whose difference is shown.
        width: of the terminal, in characters.
    """
    first, *_ = figures = part.figures[metric]
    others = [one for one in part.figures if one != metric]
    table = _table("model")
    table.add_column(metric_title(metric), justify="right", overflow="fold")
    table.add_column(Text(f"{first} leads by"), justify="right", overflow="fold")
    table.add_column("p (Holm)", justify="right", no_wrap=True)
    plain = _table("model")
    for one in others:
        (table if width >= _WIDEST else plain).add_column(metric_title(one), justify="right")
    for name, figure in figures.items():
        cells: list[str | Text] = [Text(name), _figure(figure, width), "", ""]
        if name != first:
            gain = part.gains[metric][name]
            cells[2:] = [_difference(gain.difference), _p(gain.p_value)]
        values = [_percent(part.figures[one][name].interval.value) for one in others]
        if width >= _WIDEST:
            table.add_row(*cells, *values)
        else:
            table.add_row(*cells)
            plain.add_row(Text(name), *values)
    title = f"{part.split}: {_extent(part)}, in %"
    caption = "[95 % interval over images]; p after Holm's correction over the models"
    return _titled(title, table if width >= _WIDEST else Group(table, "", plain), caption)


def breakdown_table(
    parts: Sequence[Part], metric: str, width: int, first: str, other: str | None = None
) -> Group:
    """A row for each group of a breakdown, for one model, or for two and their difference.

    Args:
        parts: the groups of one breakdown of one split.
        metric: of the breakdown.
        width: of the terminal, in characters.
        first: name of the first model.
        other: name of the one that it is compared with.
    """
    by, split = parts[0].by, parts[0].split
    table = _table(by)
    table.add_column("expressions" if width >= _WIDE else "n", justify="right", no_wrap=True)
    table.add_column(Text(first), justify="right", overflow="fold")
    if other is not None:
        table.add_column(Text(other), justify="right", overflow="fold")
        table.add_column("difference", justify="right", no_wrap=True)
        table.add_column("p (Holm)", justify="right", no_wrap=True)
        if width >= _WIDE:
            table.add_column("more than elsewhere", justify="right", no_wrap=True)
            table.add_column("p (Holm)", justify="right", no_wrap=True)
    for part in parts:
        figures = part.figures[metric]
        cells: list[str | Text] = [Text(part.group), f"{part.expressions:,}"]
        if other is None:
            table.add_row(*cells, _figure(figures[first], width))
            continue
        gain = part.gains[metric][other]
        cells += [_percent(figures[name].interval.value) for name in (first, other)]
        cells += [_difference(gain.difference), _p(gain.p_value)]
        if width >= _WIDE:
            cells += [_difference(gain.excess), _p(gain.excess_adjusted)]
        table.add_row(*cells)
    return _titled(f"{split} by {by}: {metric_title(metric)}, in %", table)


def example_table(title: str, examples: Sequence[Example], first: str, other: str) -> Group:
    """A row for each expression: what it says, where it is, and how well each model does.

    Args:
        title: printed above.
        examples: to show.
        first: name of the first model.
        other: name of the other.
    """
    table = _table("expression")
    table.add_column("image", overflow="fold")
    table.add_column("split", no_wrap=True)
    table.add_column("id", justify="right", no_wrap=True)
    for name in (first, other):
        table.add_column(Text(name), justify="right", overflow="fold")
    for example in examples:
        table.add_row(
            Text(example.expression),
            Text(Path(example.image_path).name),
            Text(example.split),
            str(example.expression_id),
            _percent(example.first),
            _percent(example.second),
        )
    return _titled(title, table)


def _table(heading: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    table.add_column(heading, overflow="fold")
    return table


def _titled(title: str, table: Table | Group, caption: str = "") -> Group:
    """Text above and below may be wider than a narrow table."""
    below = [Text(caption, style="dim")] if caption else []
    return Group(Text(title, style="bold"), "", table, *below, "")


def _extent(part: Part) -> str:
    return f"{part.expressions:,} expressions in {part.images:,} images"


def _figure(figure: Figure, width: int) -> str:
    text = _percent(figure.interval.value)
    if figure.deviation is not None:
        text += f" ± {_percent(figure.deviation)}"
    if math.isfinite(figure.interval.low) and (figure.deviation is None or width >= _WIDEST):
        text += f" [{100 * figure.interval.low:.1f}, {100 * figure.interval.high:.1f}]"
    return text


def _difference(difference: Difference | None) -> Text:
    if difference is None or not math.isfinite(difference.value):
        return Text(_UNKNOWN)
    text = f"{100 * difference.value:+.2f}"
    if math.isfinite(difference.low):
        text += f" [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    return Text(text)


def _p(p_value: float | None) -> Text:
    if p_value is None:
        return Text(_UNKNOWN)
    text = p_text(p_value).removeprefix("p ").removeprefix("= ")
    return Text(text, style="bold" if p_value < THRESHOLD else "")


def _noise(gain: Gain) -> Text:
    return _p(None if gain.noise is None else gain.noise.p_value)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if math.isfinite(value) else _UNKNOWN
