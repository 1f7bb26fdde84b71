"""What is shown and written at the end of a sweep."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refseg.sweeps.definition import Sweep
from refseg.sweeps.figure import save_figure
from refseg.sweeps.importance import Importance
from refseg.sweeps.results import best_first, heading, save, shown_metrics, summarise, table
from refseg.sweeps.runs import Outcome
from refseg.sweeps.scatter import explain, save_scatter


def show(
    sweep: Sweep, runs: Sequence[Outcome], folder: Path, console: Console, is_search: bool
) -> None:
    """Write the results of a sweep as tables, files and plots, and name the files.

    Args:
        sweep: what was run.
        runs: all of its runs.
        folder: where to write.
        console: for the tables and the names.
        is_search: also what each parameter explains: `parameters.png`, and in `results.json`. Where
            values were drawn, it takes the place of `results.png`, which has a bar per setting.
    """
    groups = summarise(runs)
    if sweep.drawn is not None:
        groups = best_first(sweep, groups)
    explained = explain(sweep, runs, sweep.metric) if is_search and sweep.metric else []
    paths = save(sweep, runs, groups, folder, explained)
    if any(group.results for group in groups):
        if sweep.drawn is None:
            paths.append(save_figure(sweep, groups, folder / "results.png"))
        if is_search and sweep.settings():
            metrics = shown_metrics(groups)
            paths.append(save_scatter(sweep, runs, metrics, folder / "parameters.png"))
        console.print(table(sweep, groups, console.width))
    if explained:
        console.print(_importance_table(sweep, explained))
    for path in paths:
        console.print(Text(str(path)), soft_wrap=True)


def _importance_table(sweep: Sweep, explained: Sequence[Importance]) -> Table:
    metric = heading(sweep.metric or "")
    title = f"what each parameter explains of {metric}, of {explained[0].runs} runs"
    result = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("parameter", "measure", "explains", "by chance", "rising or falling"):
        result.add_column(name, justify="left" if name in ("parameter", "measure") else "right")
    for one in explained:
        direction = "–" if one.correlation is None else f"{one.correlation:+.2f}"
        shares = (f"{100 * one.share:.0f} %", f"{100 * one.by_chance:.0f} %")
        result.add_row(sweep.title(one.parameter), one.measure, *shares, direction)
    return result
