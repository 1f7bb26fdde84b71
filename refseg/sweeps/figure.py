"""The picture of a sweep: a bar per setting and metric, a dot per run."""

from collections.abc import Sequence
from pathlib import Path

from refseg.files import replacing
from refseg.sweeps.definition import Sweep
from refseg.sweeps.results import Group, heading, model_name, shown_metrics


def save_figure(sweep: Sweep, groups: Sequence[Group], path: Path) -> Path:
    """Draw each setting's mean, its standard deviation over the seeds, and every single run.

    The runs are drawn too, because three values say more than their deviation.

    Args:
        sweep: what was run.
        groups: as `summarise` makes them, with at least one finished run.
        path: of the PNG to write.
    """
    from matplotlib.figure import Figure  # takes half a second, which `--help` need not wait for
    from matplotlib.ticker import PercentFormatter

    metrics = shown_metrics(groups)
    width = 0.8 / len(groups)
    figure = Figure(figsize=(max(6.0, 1.2 * len(metrics) * max(1.0, len(groups) / 4)), 4.0))
    axes = figure.subplots()
    for index, group in enumerate(groups):
        offset = (index - (len(groups) - 1) / 2) * width
        present = [(place, metric) for place, metric in enumerate(metrics) if group.values(metric)]
        centres = [place + offset for place, _ in present]
        axes.bar(
            centres,
            [group.mean(metric) or 0.0 for _, metric in present],
            width=0.9 * width,
            yerr=[group.deviation(metric) or 0.0 for _, metric in present],
            capsize=3,
            alpha=0.7,
            color=f"C{index}",
            label=f"{model_name(sweep, group.settings)} (n = {len(group.results)})",
        )
        dots = [
            (centre, value)
            for centre, (_, metric) in zip(centres, present, strict=True)
            for value in group.values(metric)
        ]
        axes.scatter(
            [centre for centre, _ in dots], [value for _, value in dots], s=9, c="black", zorder=3
        )
    axes.set_xticks(range(len(metrics)), [heading(m) for m in metrics], rotation=20, ha="right")
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(f"{sweep.name}: mean, standard deviation and runs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return path
