"""The picture of a search: each metric against each parameter, a dot per run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refseg.files import replacing
from refseg.sweeps.definition import Sweep
from refseg.sweeps.distributions import is_number
from refseg.sweeps.importance import Importance, importance
from refseg.sweeps.results import heading
from refseg.sweeps.runs import Outcome

_LOGARITHMIC_FROM = 20  # largest value of a parameter over its smallest one


def explain(sweep: Sweep, runs: Sequence[Outcome], metric: str) -> list[Importance]:
    """What each parameter but the seed explains of a metric.

    A run that was stopped early counts with the value for which it was stopped: without it, it
    would look as if settings that do badly had never been tried.

    Args:
        sweep: what was run.
        runs: all of its runs.
        metric: by split and name.
    """
    known = [(run, value) for run in runs if (value := _value(sweep, run, metric)) is not None]
    combinations = [run.combination for run, _ in known]
    return importance(combinations, [value for _, value in known], sweep.settings())


def save_scatter(sweep: Sweep, runs: Sequence[Outcome], metrics: Sequence[str], path: Path) -> Path:
    """Draw a row per metric and a column per parameter, with what the parameter explains.

    A run that was stopped early is a hollow dot, in the row of the sweep's metric.

    Args:
        sweep: what was run, with a parameter that varies.
        runs: all of its runs.
        metrics: by split and name.
        path: of the PNG to write.
    """
    from matplotlib.figure import Figure  # takes half a second, which `--help` need not wait for
    from matplotlib.ticker import PercentFormatter

    names = sweep.settings()
    size = max(4.0, 3.2 * len(names)), 2.4 * len(metrics)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(metrics), len(names), squeeze=False, sharey="row", sharex="col")
    for metric, row in zip(metrics, panels, strict=True):
        explained = {one.parameter: one for one in explain(sweep, runs, metric)}
        known = [(run, value) for run in runs if (value := _value(sweep, run, metric)) is not None]
        for name, axes in zip(names, row, strict=True):
            places = _place_values(sweep, name, axes)
            for run, value in known:
                over = run.result() is not None
                place = places[repr(run.combination[name])]
                axes.scatter([place], [value], s=18, c="C0" if over else "none", edgecolors="C0")
            if name in explained:
                axes.set_title(_caption(explained[name]), fontsize=8)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(heading(metric))
    for name, axes in zip(names, panels[-1], strict=True):
        axes.set_xlabel(sweep.title(name))
    if any(run.stopped() for run in runs):
        figure.suptitle("hollow: stopped early", fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return path


def _value(sweep: Sweep, run: Outcome, metric: str) -> float | None:
    result, verdict = run.result(), run.stopped()
    if result is not None:
        return result.metrics.get(metric)
    return verdict.value if verdict is not None and metric == sweep.metric else None


def _place_values(sweep: Sweep, name: str, axes: Any) -> dict[str, float]:  # noqa: ANN401 - matplotlib's
    """Where each value of a parameter lies on the horizontal axis, which is made ready for it."""
    values = sweep.parameters[name]
    if all(is_number(value) for value in values):
        if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM:
            axes.set_xscale("log")
        return {repr(value): float(value) for value in values}
    labels = [sweep.label(name, value) for value in values]
    axes.set_xticks(range(len(values)), labels, rotation=30, ha="right", fontsize=8)
    axes.set_xlim(-0.5, len(values) - 0.5)
    return {repr(value): float(place) for place, value in enumerate(values)}


def _caption(found: Importance) -> str:
    text = f"explains {100 * found.share:.0f} % (by chance {100 * found.by_chance:.0f} %)"
    if not found.correlation:
        return text
    return f"{text}, {'rising' if found.correlation > 0 else 'falling'}"
