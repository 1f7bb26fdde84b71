"""The tables of a report, in which models stand beside or, to fit the page, below each other."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import pyarrow as pa
import torch

from refseg.analysis.comparison import Gain, Part
from refseg.analysis.figure_texts import (
    UNKNOWN,
    bare_p_text,
    difference_text,
    figure_text,
    percent,
)
from refseg.analysis.findings import Findings
from refseg.evaluation.functional import no_target_accuracy, target_accuracy
from refseg.evaluation.tables import metric_title
from refseg.visualization.html.markup import HtmlTable

_AREAS = ("area", "predicted_area")

Row = tuple[str, Sequence[str]]


def differences(part: Part, found: Findings, tables: Mapping[str, Sequence[pa.Table]]) -> HtmlTable:
    """The metrics of all models in a split, and how far the first is above each of the others.

    Args:
        part: the split.
        found: what a comparison found.
        tables: the results in it, of each model.
    """
    noise, below = has_noise(part), len(found.others) > 1
    rows_of = _rows_below if below else _rows_beside
    p_values = ["p over images", "p over seeds"] if noise else [_p_title(found)]
    rows: list[Row] = []
    for metric, figures in part.figures.items():
        gains = part.gains[metric]
        rows += rows_of(
            metric_title(metric),
            found,
            {name: figure_text(figure) for name, figure in figures.items()},
            {other: _difference(gains[other], noise) for other in found.others},
        )
    accuracies = {name: accuracies_of(tables[name]) for name in [found.first, *found.others]}
    unknown = [UNKNOWN] * (1 + len(p_values))
    for title in accuracies[found.first]:
        figures_of_models = {name: of_model[title] for name, of_model in accuracies.items()}
        rows += rows_of(title, found, figures_of_models, dict.fromkeys(found.others, unknown))
    models = ["in %"] if below else [found.first, *found.others]
    return HtmlTable(["metric", *models, "difference", *p_values], rows)


def groups(members: Sequence[Part], found: Findings) -> HtmlTable:
    """The metric in each group of a breakdown, and what the first model gains in it.

    Args:
        members: the groups.
        found: what a comparison found.
    """
    metric = found.metric
    rows: list[Row] = []
    rows_of = _rows_below if found.others else _rows_beside
    for part in members:
        figures = {name: figure_text(figure) for name, figure in part.figures[metric].items()}
        gains = {other: part.gains[metric][other] for other in found.others}
        cells = {other: _group_cells(gain) for other, gain in gains.items()}
        rows += rows_of(f"{part.group}, n = {part.expressions:,}", found, figures, cells)
    heads = [members[0].by, metric_title(metric)]
    if found.others:
        heads += ["difference", "p (Holm)", "more than elsewhere", "p (Holm)"]
    return HtmlTable(heads, rows)


def accuracies_of(tables: Sequence[pa.Table]) -> dict[str, str]:
    """N-acc and T-acc, where some expressions name nothing; the mean over the seeds.

    Args:
        tables: the results of each seed.
    """
    counts = [[torch.tensor(t[name].to_numpy()) for name in _AREAS] for t in tables]
    if all(areas.all() for areas, _ in counts):
        return {}
    measures = {"N-acc": no_target_accuracy, "T-acc": target_accuracy}
    return {
        name: percent(fmean(measure(*areas).item() for areas in counts))
        for name, measure in measures.items()
    }


def has_noise(part: Part) -> bool:
    """Whether it is known how far the seeds of its models spread."""
    return any(gain.noise is not None for gains in part.gains.values() for gain in gains.values())


def _rows_beside(
    title: str,
    found: Findings,
    figures: Mapping[str, str],
    compared: Mapping[str, Sequence[str]],
) -> list[Row]:
    """One row, for one or two models."""
    cells = [cell for other in found.others for cell in (figures[other], *compared[other])]
    return [(title, [figures[found.first], *cells])]


def _rows_below(
    title: str,
    found: Findings,
    figures: Mapping[str, str],
    compared: Mapping[str, Sequence[str]],
) -> list[Row]:
    """A row for each model, which fits a page that is not wide enough for all of them."""
    nothing = [""] * len(compared[found.others[0]])
    others: list[Row] = [(other, [figures[other], *compared[other]]) for other in found.others]
    return [(title, ()), (found.first, [figures[found.first], *nothing]), *others]


def _difference(gain: Gain, noise: bool) -> list[str]:
    cells = [difference_text(gain.difference)]
    if not noise:
        return [*cells, bare_p_text(gain.p_value)]
    spread = None if gain.noise is None else gain.noise.p_value
    return [*cells, bare_p_text(gain.difference.p_value), bare_p_text(spread)]


def _group_cells(gain: Gain) -> list[str]:
    return [
        difference_text(gain.difference),
        bare_p_text(gain.p_value),
        difference_text(gain.beyond_others),
        bare_p_text(gain.beyond_others_adjusted),
    ]


def _p_title(found: Findings) -> str:
    return "p (Holm)" if len(found.others) > 1 else "p"
