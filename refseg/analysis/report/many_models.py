"""The sections of a report about many models: tables with a row for each of them."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from refseg.analysis.all_pairs import AllPairs, gain_over
from refseg.analysis.comparison import Figure, Gain, Part
from refseg.analysis.figure_texts import UNKNOWN, interval_text, percent
from refseg.analysis.findings import Findings
from refseg.analysis.report.html_tables import accuracies_of, differences, groups, has_noise
from refseg.analysis.verdict import THRESHOLD, breakdown_verdict, joined, p_text
from refseg.evaluation.tables import metric_title
from refseg.visualization.dot_charts import dot_chart
from refseg.visualization.html.markup import Html, HtmlTable
from refseg.visualization.html.pages import Section, folded
from refseg.visualization.html.rendering import render

_BOLD = "the highest of a column is bold"


def figures_section(
    part: Part, found: Findings, tables: Mapping[str, Sequence[pa.Table]]
) -> Section:
    """The metrics of all models over a whole split, a column for each metric.

    Args:
        part: the split.
        found: what a comparison found.
        tables: the results in it, of each model.
    """
    names = list(found.contenders)
    columns = [_figure_cells([of[name] for name in names]) for of in part.figures.values()]
    heads = ["model", *map(metric_title, part.figures)]
    accuracies = {name: accuracies_of(tables[name]) for name in names}
    for title in accuracies[names[0]]:
        heads.append(title)
        columns.append([Html(of_model.get(title, UNKNOWN)) for of_model in accuracies.values()])
    rows = [(name, [column[place] for column in columns]) for place, name in enumerate(names)]
    against = folded(
        f"{found.first} and each other, in numbers",
        differences(part, found, tables),
        f"{found.first} and each other on {part.split}",
    )
    return Section(
        f"Figures on {part.split}",
        f"In percent, over {part.expressions:,} expressions in {part.images:,} images; below each "
        f"figure its 95 % interval; {_BOLD}. {coverage(part)}",
        [HtmlTable(heads, rows), against, _sentences("In words", found.verdicts)],
    )


def coverage(part: Part) -> str:
    """Say what intervals and p-values are about, and what not.

    Args:
        part: a whole split.
    """
    several = any(len(f.seeds) > 1 for of in part.figures.values() for f in of.values())
    text = "Intervals are drawn by bootstrap over images: they say how far a figure may lie"
    if not several:
        return f"{text} elsewhere with other images, and nothing of other seeds."
    text = (
        f"{text} elsewhere with other images and the same seeds, whose spread is the standard "
        "deviation behind ±."
    )
    if not has_noise(part):
        return text
    pooled = (
        ", with the spread pooled over all models"
        if len(next(iter(part.figures.values()))) > 2
        else ""
    )
    return (
        f"{text} A p-value is the larger one of a paired permutation test over images and of a "
        f"t-test over seeds{pooled}."
    )


def pairs_section(split: str, metric: str, pairs: AllPairs, names: Sequence[str]) -> Section:
    """A matrix of the differences of every two models.

    Args:
        split: over which they are compared.
        metric: that is compared.
        pairs: every two models.
        names: of the models, in order.
    """
    rows = [
        (
            one,
            [_pair_cell(None if one == other else gain_over(pairs, one, other)) for other in names],
        )
        for one in names
    ]
    clear = sum(gain.p_value < THRESHOLD for gain in pairs.values())
    return Section(
        f"Every two models on {split}",
        f"Of the row minus of the column, {metric_title(metric)} in points, with the p-value "
        f"after Holm's correction over all {len(pairs)} pairs. Bold: beyond the noise (p < 0.05), "
        f"as {clear} of {len(pairs)} pairs are.",
        HtmlTable(["minus", *names], rows),
    )


def breakdown_section(members: Sequence[Part], found: Findings, title: str) -> Section:
    """The figures of all models in each group of a breakdown.

    Args:
        members: the groups of one breakdown of one split.
        found: what a comparison found.
        title: of the section.
    """
    metric, split = found.metric, members[0].split
    names = list(found.contenders)
    labels = [f"{part.group}, n = {part.expressions:,}" for part in members]
    figures = {name: [part.figures[metric][name].interval for part in members] for name in names}
    chart = dot_chart(
        labels,
        {name: [interval.value for interval in of] for name, of in figures.items()},
        {name: [(interval.low, interval.high) for interval in of] for name, of in figures.items()},
        metric_title(metric),
    )
    columns = [_figure_cells([part.figures[metric][name] for name in names]) for part in members]
    rows = [(name, [column[place] for column in columns]) for place, name in enumerate(names)]
    verdicts = [breakdown_verdict(members, metric, found.first, other) for other in found.others]
    return Section(
        title,
        f"{capital(metric_title(metric))} on {split} in percent, with 95 % intervals; {_BOLD}. "
        f"{highest(members, metric)}",
        [
            chart,
            HtmlTable(["model", *labels], rows),
            folded(
                f"{found.first} and each other, in numbers",
                groups(members, found),
                f"{title}, {split}, {found.first} and each other",
            ),
            _sentences("In words", verdicts),
        ],
        wide=True,
    )


def capital(text: str) -> str:
    """A text that begins a sentence.

    Example:
        >>> capital("mean IoU")
        'Mean IoU'
    """
    return text[:1].upper() + text[1:]


def highest(members: Sequence[Part], metric: str) -> str:
    """Say which model has the highest figure in which groups, be it by chance or not.

    Args:
        members: the groups of one breakdown of one split.
        metric: of the breakdown.
    """
    best: dict[str, list[str]] = {}
    for part in members:
        figures = {name: figure.interval.value for name, figure in part.figures[metric].items()}
        best.setdefault(max(figures, key=figures.__getitem__), []).append(part.group)
    if len(best) == 1 and len(members) > 1:
        return f"{next(iter(best))} is the highest in every group."
    return f"The highest is {joined([f'{name} for {joined(of)}' for name, of in best.items()])}."


def _figure_cells(figures: Sequence[Figure]) -> list[Html]:
    """A column: each figure above its interval, the highest bold."""
    best = max(figure.interval.value for figure in figures)
    cells = []
    for figure in figures:
        deviation = "" if figure.deviation is None else f" ± {percent(figure.deviation)}"
        cells.append(
            render(
                "stacked_cell.html",
                value=f"{percent(figure.interval.value)}{deviation}",
                below=interval_text(figure.interval),
                strong=figure.interval.value == best,
            )
        )
    return cells


def _pair_cell(gain: Gain | None) -> str | Html:
    if gain is None:
        return ""
    return render(
        "stacked_cell.html",
        value=f"{100 * gain.difference.value:+.2f}",
        below=p_text(gain.p_value),
        strong=gain.p_value < THRESHOLD,
    )


def _sentences(summary: str, sentences: Sequence[str]) -> Html:
    return render("sentences.html", summary=summary, sentences=sentences)
