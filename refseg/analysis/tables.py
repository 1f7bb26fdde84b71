"""A comparison for people, as tables on the terminal; in percent."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from refseg.analysis.comparison import Gain, Part
from refseg.analysis.examples import Example
from refseg.analysis.figure_texts import bare_p_text, difference_text, figure_text, percent
from refseg.analysis.model_tables import gains_table, groups_table, pairs_table
from refseg.analysis.table_layout import ruled, titled
from refseg.analysis.verdict import THRESHOLD, breakdown_verdict
from refseg.evaluation.bootstrap import Difference
from refseg.evaluation.tables import metric_title

if TYPE_CHECKING:
    from refseg.analysis.findings import Findings

_ROOMY = 90  # characters, from which on columns are two characters apart
_WIDE = 100  # characters, from which on a breakdown shows all of its columns
_WIDEST = 110  # … and intervals stand beside standard deviations


def tables_of(found: "Findings", width: int) -> Iterator[RenderableType]:
    """All that was found, in the order in which it is read; the verdicts come last.

    Args:
        found: by a comparison.
        width: of the terminal, in characters.
    """
    first, metric = found.first, found.metric
    others: Sequence[str | None] = found.others or [None]
    for part in found.wholes:
        if len(others) > 1:
            yield overview_table(part, metric, width)
        else:
            yield comparison_table(part, width, first, others[0])
        if part.split in found.pairs:
            yield pairs_table(part.split, metric, found.pairs[part.split], width)
    yield from _by_model(found, width) if found.has_many else _side_by_side(found, width)
    for note in found.notes:
        yield Text(f"Note: {note}", style="dim")
    for sentence in found.verdicts:
        yield Text(sentence, style="" if found.rankings else "bold")
    for sentence in found.rankings:
        yield Text(sentence, style="bold")


def _by_model(found: "Findings", width: int) -> Iterator[RenderableType]:
    """Breakdowns with a row for each model."""
    first, metric = found.first, found.metric
    for members in found.breakdowns():
        yield groups_table(members, metric, width)
        yield gains_table(members, metric, width, first)
        for other in found.others:
            yield Text(breakdown_verdict(members, metric, first, other))
        yield ""


def _side_by_side(found: "Findings", width: int) -> Iterator[RenderableType]:
    """Breakdowns and examples of one model, or of the first and each other."""
    first, metric = found.first, found.metric
    others: Sequence[str | None] = found.others or [None]
    for other in others:
        for members in found.breakdowns():
            yield breakdown_table(members, metric, width, first, other)
            if other is not None:
                yield Text(breakdown_verdict(members, metric, first, other))
                yield ""
        if other is not None:
            gains, losses = found.examples[other]
            for place, examples in (("ahead of", gains), ("behind", losses)):
                if examples:
                    title = f"{first} is furthest {place} {other} on (IoU in %)"
                    yield example_table(title, examples, first, other)


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
    table = ruled("metric")
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
        cells = [
            metric_title(metric),
            *(figure_text(figures[name], width >= _WIDEST) for name in names),
        ]
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
    return titled(title, table, f"{explained}[95 % interval over images]")


def overview_table(part: Part, metric: str, width: int) -> Group:
    """A row for each of several models over a whole split, the first of which the others stand by.

    Args:
        part: the whole split.
        metric: whose difference is shown.
        width: of the terminal, in characters.
    """
    first, *_ = figures = part.figures[metric]
    others = [one for one in part.figures if one != metric]
    table = ruled("model")
    table.add_column(metric_title(metric), justify="right", overflow="fold")
    table.add_column(Text(f"{first} leads by"), justify="right", overflow="fold")
    table.add_column("p (Holm)", justify="right", no_wrap=True)
    plain = ruled("model")
    for one in others:
        (table if width >= _WIDEST else plain).add_column(metric_title(one), justify="right")
    for name, figure in figures.items():
        cells: list[str | Text] = [Text(name), figure_text(figure, width >= _WIDEST), "", ""]
        if name != first:
            gain = part.gains[metric][name]
            cells[2:] = [_difference(gain.difference), _p(gain.p_value)]
        values = [percent(part.figures[one][name].interval.value) for one in others]
        if width >= _WIDEST:
            table.add_row(*cells, *values)
        else:
            table.add_row(*cells)
            plain.add_row(Text(name), *values)
    title = f"{part.split}: {_extent(part)}, in %"
    caption = "[95 % interval over images]; p after Holm's correction over the models"
    if any(gain.noise is not None for gain in part.gains[metric].values()):
        caption += (
            ", the larger one of those over images and over seeds (whose spread is pooled over all "
            "models)"
        )
    return titled(title, table if width >= _WIDEST else Group(table, "", plain), caption)


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
    table = ruled(by)
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
            table.add_row(*cells, figure_text(figures[first], width >= _WIDEST))
            continue
        gain = part.gains[metric][other]
        cells += [percent(figures[name].interval.value) for name in (first, other)]
        cells += [_difference(gain.difference), _p(gain.p_value)]
        if width >= _WIDE:
            cells += [_difference(gain.beyond_others), _p(gain.beyond_others_adjusted)]
        table.add_row(*cells)
    return titled(f"{split} by {by}: {metric_title(metric)}, in %", table)


def example_table(title: str, examples: Sequence[Example], first: str, other: str) -> Group:
    """A row for each expression: what it says, where it is, and how well each model does.

    Args:
        title: printed above.
        examples: to show.
        first: name of the first model.
        other: name of the other.
    """
    table = ruled("expression")
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
            percent(example.first),
            percent(example.second),
        )
    return titled(title, table)


def _extent(part: Part) -> str:
    return f"{part.expressions:,} expressions in {part.images:,} images"


def _difference(difference: Difference | None) -> Text:
    return Text(difference_text(difference))


def _p(p_value: float | None) -> Text:
    is_clear = p_value is not None and p_value < THRESHOLD
    return Text(bare_p_text(p_value), style="bold" if is_clear else "")


def _noise(gain: Gain) -> Text:
    return _p(None if gain.noise is None else gain.noise.p_value)
