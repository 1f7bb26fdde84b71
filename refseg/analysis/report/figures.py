"""The figures of a report: tables with intervals, the curve over thresholds, breakdowns."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from refseg.analysis.comparison import Part
from refseg.analysis.figure_texts import UNKNOWN, figure_text, percent
from refseg.analysis.findings import Findings
from refseg.analysis.report.html_tables import accuracies_of, differences, groups
from refseg.analysis.report.many_models import (
    breakdown_section,
    capital,
    coverage,
    figures_section,
    pairs_section,
)
from refseg.analysis.verdict import breakdown_verdict
from refseg.evaluation.bootstrap import bootstrap_each
from refseg.evaluation.sums import PRECISION
from refseg.evaluation.tables import metric_title
from refseg.visualization.charts import MOST_BANDS, bar_chart, curve_chart
from refseg.visualization.html.markup import HtmlTable
from refseg.visualization.html.pages import Fold, Section, folded

_PLACES = [number / 20 for number in range(21)]
_TITLES = {
    "length": "By length of the expression, in words",
    "size": "By size of the object, as a share of its image",
    "category": "By category",
    "distractors": "By distractors: other objects of the same category in the image",
    "words": "By kind of words",
}
_BRACKETS = "in brackets, 95 % intervals by bootstrap over images"


Paired = Mapping[str, Mapping[str, Sequence[pa.Table]]]
"""The results of each model in each split: the same expressions in the same order."""


def metric_sections(found: Findings, paired: Paired) -> list[Section]:
    """The figures over whole splits, with their intervals, and the differences of the models.

    Args:
        found: what a comparison found.
        paired: its results.
    """
    whole = [part for part in found.parts if not part.by]
    if not found.others:
        rows = [
            (
                metric_title(metric),
                [figure_text(part.figures[metric][found.first]) for part in whole],
            )
            for metric in whole[0].figures
        ]
        accuracies = [accuracies_of(paired[part.split][found.first]) for part in whole]
        names = dict.fromkeys(name for of_split in accuracies for name in of_split)
        rows += [(name, [found.get(name, UNKNOWN) for found in accuracies]) for name in names]
        extents = [f"{part.expressions:,} in {part.images:,} images" for part in whole]
        rows.append(("expressions", extents))
        return [
            Section(
                "Figures",
                f"In percent, over all expressions; {_BRACKETS}{_seeds(whole)}.",
                HtmlTable(["metric", *(part.split for part in whole)], rows),
            )
        ]
    sections = []
    for part in whole:
        split = part.split
        sections.append(
            figures_section(part, found, paired[split])
            if found.has_many
            else _side_by_side(part, found, paired[split])
        )
        if split in found.pairs:
            models = list(found.contenders)
            sections.append(pairs_section(split, found.metric, found.pairs[split], models))
    return sections


def _side_by_side(part: Part, found: Findings, tables: Mapping[str, Sequence[pa.Table]]) -> Section:
    return Section(
        f"Figures on {part.split}",
        f"In percent, over {part.expressions:,} expressions in {part.images:,} images; {_BRACKETS}"
        f"{_seeds([part])}. Differences: {found.first} minus the other. {coverage(part)}",
        differences(part, found, tables),
    )


def curve_section(
    paired: Mapping[str, Sequence[pa.Table]], split: str, resamples: int, seed: int
) -> Section:
    """The share of the expressions whose IoU reaches a threshold, over all thresholds.

    Args:
        paired: the results of each model in one split.
        split: its name.
        resamples: draws of images, for the intervals.
        seed: of the draws.
    """
    metrics = [f"{PRECISION}{place}" for place in _PLACES]
    curves, ends = {}, {}
    for name, tables in paired.items():
        found = bootstrap_each(tables, metrics, resamples=resamples, seed=seed)
        curves[name] = [interval.value for interval in found]
        ends[name] = [(interval.low, interval.high) for interval in found]
    heads = ["IoU of at least", *curves]
    rows = [
        (f"{place:.1f}", [percent(values[number]) for values in curves.values()])
        for number, place in enumerate(_PLACES)
        if number % 2 == 0
    ]
    return Section(
        f"Precision over thresholds, {split}",
        "Share of the expressions whose IoU is at least as high; "
        + (
            "the band is the 95 % interval."
            if len(paired) <= MOST_BANDS
            else "95 % intervals are shown while a curve is pointed at."
        ),
        [
            curve_chart(
                _PLACES, curves, x_title="IoU threshold", y_title="expressions", intervals=ends
            ),
            folded("In numbers, in %", HtmlTable(heads, rows), f"Precision on {split} in numbers"),
        ],
        wide=len(paired) > MOST_BANDS,
    )


def breakdown_parts(
    found: Findings, curves: Mapping[str, Sequence[Section]]
) -> list[Section | Fold]:
    """Curves and breakdowns of each split; of all but the first they are folded away.

    Args:
        found: what a comparison found.
        curves: of each split.
    """
    breakdowns = found.breakdowns()
    parts: list[Section | Fold] = []
    for number, (split, drawn) in enumerate(curves.items()):
        sections = [*drawn, *(_breakdown(m, found) for m in breakdowns if m[0].split == split)]
        parts += sections if not number else [Fold(f"The same for {split}", sections)]
    return parts


def _breakdown(members: Sequence[Part], found: Findings) -> Section:
    metric, by, split = found.metric, members[0].by, members[0].split
    if found.has_many:
        return breakdown_section(members, found, _TITLES[by])
    names = [found.first, *found.others]
    labels = [f"{part.group}, n = {part.expressions:,}" for part in members]
    figures = {name: [part.figures[metric][name].interval for part in members] for name in names}
    chart = bar_chart(
        labels,
        {name: [interval.value for interval in found] for name, found in figures.items()},
        percent=True,
        horizontal=True,
        value_title=metric_title(metric),
        intervals={name: [(i.low, i.high) for i in found] for name, found in figures.items()},
    )
    text = f"{capital(metric_title(metric))} on {split}, with 95 % intervals."
    verdicts = [breakdown_verdict(members, metric, found.first, other) for other in found.others]
    table, title = groups(members, found), _TITLES[by]
    return Section(
        title,
        " ".join([text, *verdicts]),
        [chart, folded("In numbers, in %", table, f"{title}, {split}, in numbers")],
    )


def _seeds(parts: Sequence[Part]) -> str:
    several = any(
        len(figure.seeds) > 1
        for part in parts
        for figures in part.figures.values()
        for figure in figures.values()
    )
    return "; ± standard deviation over the seeds" if several else ""
