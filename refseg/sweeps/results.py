"""What a sweep shows: each setting's figures over its seeds, as a table and as files."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refseg.files import write_text
from refseg.progress import duration
from refseg.sweeps.definition import Sweep, in_words, is_seed
from refseg.sweeps.importance import Importance
from refseg.sweeps.runs import Outcome, Result

_TITLES = {"overall_iou": "overall IoU", "mean_iou": "mean IoU"}
_PRECISION = "precision@"
_UNKNOWN = "–"
_COSTS = ("parameters", "training")


@dataclass(frozen=True)
class Group:
    """The runs that differ in their seed only.

    Args:
        settings: the values of all parameters but the seed.
        expected: how many runs the sweep has here.
        results: of those that are finished.
        stopped: how many were stopped early.
    """

    settings: Mapping[str, Any]
    expected: int
    results: Sequence[Result]
    stopped: int = 0

    def values(self, metric: str) -> list[float]:
        """A metric of each run that has it."""
        return [result.metrics[metric] for result in self.results if metric in result.metrics]

    def mean(self, metric: str) -> float | None:
        """The mean over the seeds; None without a run."""
        values = self.values(metric)
        return mean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """The sample standard deviation (n - 1) over the seeds; None for fewer than two."""
        values = self.values(metric)
        return stdev(values) if len(values) > 1 else None

    @property
    def parameters(self) -> int | None:
        """Weights of the network, the same for every seed; None without a run."""
        known = [one.parameters for one in self.results if one.parameters is not None]
        return known[0] if known else None

    @property
    def training_seconds(self) -> float | None:
        """The mean training time of the runs of which it is known; None without one."""
        known = [one.training_seconds for one in self.results if one.training_seconds is not None]
        return mean(known) if known else None


def summarise(runs: Sequence[Outcome]) -> list[Group]:
    """Put together the runs that differ in their seed only, in order of appearance."""
    groups: dict[str, list[Outcome]] = {}
    for run in runs:
        groups.setdefault(json.dumps(_without_seed(run), default=str), []).append(run)
    return [
        Group(
            settings=_without_seed(members[0]),
            expected=len(members),
            results=[result for run in members if (result := run.result()) is not None],
            stopped=sum(run.stopped() is not None for run in members),
        )
        for members in groups.values()
    ]


def best_first(sweep: Sweep, groups: Sequence[Group]) -> list[Group]:
    """The groups by their mean of the sweep's metric; at the end those that have none."""

    def place(group: Group) -> tuple[bool, float]:
        average = None if sweep.metric is None else group.mean(sweep.metric)
        return average is None, (average or 0.0) * (-1 if sweep.maximize else 1)

    return sorted(groups, key=place)


def metric_names(groups: Sequence[Group]) -> list[str]:
    """All metrics of all runs, in the order in which the runs wrote them."""
    names = (name for group in groups for result in group.results for name in result.metrics)
    return list(dict.fromkeys(names))


def shown_metrics(groups: Sequence[Group]) -> list[str]:
    """The metrics of the table and the figure: the papers' ones, all in [0, 1]."""
    return [
        metric
        for metric in metric_names(groups)
        if (name := metric.rpartition("/")[2]) in _TITLES or name.startswith(_PRECISION)
    ]


def heading(metric: str) -> str:
    """A metric as a column's title.

    Example:
        >>> heading("val/overall_iou"), heading("testA/precision@0.5")
        ('val overall IoU', 'testA P@0.5')
    """
    split, _, name = metric.rpartition("/")
    return f"{split} {_TITLES.get(name, name.replace(_PRECISION, 'P@'))}"


def model_name(sweep: Sweep, settings: Mapping[str, Any]) -> str:
    """What sets a model apart from the others of a sweep: the values of what is compared.

    A text, such as the name of a config file, speaks for itself; a number needs its parameter.

    Args:
        sweep: to which it belongs.
        settings: a value for each parameter; seeds do not matter.

    Example:
        >>> grid = {"model.fusion": ("fusion/a.yaml", "fusion/b.yaml"), "data.shapes.level": (1, 2)}
        >>> sweep = Sweep(Path("s.yaml"), "s", "refseg", ("${args}",), grid)
        >>> model_name(sweep, {"model.fusion": "fusion/a.yaml", "data.shapes.level": 2})
        'a, level 2'
    """
    parts = []
    for name in sweep.settings():
        value = settings[name]
        label = sweep.label(name, value)
        parts.append(label if isinstance(value, str) else f"{sweep.title(name)} {label}")
    return ", ".join(parts) or sweep.name


def table(sweep: Sweep, groups: Sequence[Group], width: int) -> Table:
    """The comparison for the terminal, in percent; the best mean of the sweep's metric is bold.

    A row is a group; where that is too wide, it is a column; where that is too wide, too, a row is
    a group again, and figures are left out: first the thresholds in the middle, then all of them,
    then the mean IoU. Of a search, where values were drawn, a row is always a group; size and time
    go last.

    Args:
        sweep: what was run.
        groups: as `summarise` makes them.
        width: of the terminal, in characters.
    """
    metrics = shown_metrics(groups)
    ends = [m for m in metrics if m.rpartition(_PRECISION)[2] not in ("0.6", "0.7", "0.8")]
    few = [metric for metric in metrics if _PRECISION not in metric]
    upright = _columns(sweep, groups, metrics)
    # Of many runs that were drawn, a column each is too many.
    turned = upright if sweep.drawn else [list(cells) for cells in zip(*upright, strict=True)]
    shorter = (_columns(sweep, groups, some) for some in (ends, few, few[:1]))
    choices = [_drawn(sweep, columns) for columns in (upright, turned, *shorter)]
    if sweep.drawn:
        choices.append(_drawn(sweep, _columns(sweep, groups, few[:1])[: -len(_COSTS)]))
    unbounded = Console(width=10_000)
    fitting = (one for one in choices if unbounded.measure(one).maximum <= width)
    return next(fitting, choices[-1])


def _drawn(sweep: Sweep, columns: Sequence[Sequence[Text]]) -> Table:
    title = f"{sweep.name}: mean ± standard deviation over the seeds, in %"
    left = max(1, len(sweep.settings())) if sweep.drawn else 1  # columns that say what it is
    result = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for index, (heading, *_) in enumerate(columns):
        result.add_column(heading, justify="left" if index < left else "right")
    for row in list(zip(*columns, strict=True))[1:]:
        result.add_row(*row)
    return result


def _columns(sweep: Sweep, groups: Sequence[Group], metrics: Sequence[str]) -> list[list[Text]]:
    """The headings, and under them what stands there for each group."""
    best = _best(sweep, groups)
    names = sweep.settings()
    settings = [" × ".join(map(sweep.title, names)) or "sweep"]
    if sweep.drawn and names:
        settings = [sweep.title(name) for name in names]
    rows = []
    for group in groups:
        finished = len(group.results)
        runs = str(finished) if finished == group.expected else f"{finished} of {group.expected}"
        runs += f", {group.stopped} stopped" if group.stopped else ""
        figures = [
            Text(_figure(group, metric), "bold" if (group, metric) == (best, sweep.metric) else "")
            for metric in metrics
        ]
        parameters = _UNKNOWN if group.parameters is None else f"{group.parameters:,}"
        seconds = group.training_seconds
        training = _UNKNOWN if seconds is None else duration(seconds)
        rows.append(
            [
                *_labels(sweep, group),
                Text(runs),
                *figures,
                Text(parameters),
                Text(training),
            ]
        )
    headings = [*settings, "runs", *map(heading, metrics), *_COSTS]
    return [list(cells) for cells in zip(map(Text, headings), *rows, strict=True)]


def _labels(sweep: Sweep, group: Group) -> list[Text]:
    """What sets a group apart: one cell, or a cell per parameter of a random search."""
    names = sweep.settings()
    if sweep.drawn and names:
        return [Text(sweep.label(name, group.settings[name])) for name in names]
    return [Text(model_name(sweep, group.settings))]


def save(
    sweep: Sweep,
    runs: Sequence[Outcome],
    groups: Sequence[Group],
    folder: Path,
    explained: Sequence[Importance] = (),
) -> list[Path]:
    """Write `results.csv` (a row per group) and `results.json` (groups and runs).

    Args:
        sweep: what was run.
        runs: all of its runs; unfinished ones are listed without figures.
        groups: as `summarise` makes them.
        folder: where to write.
        explained: what each parameter explains of the sweep's metric; none: not asked.
    """
    has_stops = any(group.stopped for group in groups)
    rows = [_row(group, metric_names(groups), has_stops) for group in groups]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for group, row in zip(groups, rows, strict=True):  # null is a setting, and no empty cell
        writer.writerow({**row, **{name: in_words(v) for name, v in group.settings.items()}})
    write_text(folder / "results.csv", text.getvalue())
    content: dict[str, Any] = {
        "sweep": sweep.name,
        "metric": sweep.metric,
        "groups": rows,
        "runs": [_record(run) for run in runs],
    }
    if explained:
        content["importance"] = [one._asdict() for one in explained]
    write_text(folder / "results.json", json.dumps(content, indent=2, default=str) + "\n")
    return [folder / "results.csv", folder / "results.json"]


def _without_seed(run: Outcome) -> dict[str, Any]:
    return {name: value for name, value in run.combination.items() if not is_seed(name)}


def _row(group: Group, metrics: Sequence[str], has_stops: bool) -> dict[str, Any]:
    row: dict[str, Any] = {**group.settings, "runs": len(group.results)}
    if has_stops:
        row["stopped"] = group.stopped
    for metric in metrics:
        row[f"{metric} mean"] = group.mean(metric)
        row[f"{metric} sd"] = group.deviation(metric)
    trained = [r.trainable_parameters for r in group.results if r.trainable_parameters is not None]
    trainable = trained[0] if trained else None
    row |= {"parameters": group.parameters, "trainable_parameters": trainable}
    return row | {"training_seconds": group.training_seconds}


def _record(run: Outcome) -> dict[str, Any]:
    result = run.result()
    record = {
        "folder": run.name,
        "settings": dict(run.combination),
        "command": list(run.command),
        "result": None if result is None else vars(result),
    }
    verdict = run.stopped()
    return record if verdict is None else {**record, "stopped": verdict._asdict()}


def _best(sweep: Sweep, groups: Sequence[Group]) -> Group | None:
    if sweep.metric is None:
        return None
    scored = [(score, group) for group in groups if (score := group.mean(sweep.metric)) is not None]
    if not scored:
        return None
    pick = max if sweep.maximize else min
    return pick(scored, key=lambda pair: pair[0])[1]


def _figure(group: Group, metric: str) -> str:
    average, deviation = group.mean(metric), group.deviation(metric)
    if average is None:
        return _UNKNOWN
    spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
    return f"{100 * average:.2f}{spread}"
