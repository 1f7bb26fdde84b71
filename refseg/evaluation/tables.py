"""Figures for people, on the terminal, and for programs, as JSON."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.table import Table

from refseg.evaluation.figure_table import FigureTable
from refseg.evaluation.protocols import STANDARD, Protocol
from refseg.files import write_text

_TITLES = {"overall_iou": "overall IoU", "mean_iou": "mean IoU"}
_ACCURACIES = {"no_target_accuracy": "N-acc", "target_accuracy": "T-acc"}
_PRECISION = "precision@"
_UNKNOWN = "–"


def metric_table(rows: Mapping[str, Mapping[str, float]], title: str | None = None) -> FigureTable:
    """Lay metrics out as the papers print them: in percent, with two decimals.

    Columns are overall IoU, mean IoU and every precision@X that a row has, by rising X, and, where
    expressions name nothing, N-acc and T-acc; other keys are left out. A figure that is absent or
    undefined is a dash. On a narrow terminal rows become columns, and figures stay whole.

    Args:
        rows: the metrics of each split or model, in [0, 1], by the keys of `ReferringMetrics`.
        title: printed above.

    Example:
        >>> from rich.console import Console
        >>> table = metric_table({"val": {"overall_iou": 0.61234, "precision@0.5": 0.7}})
        >>> Console(width=60).print(table)  # doctest: +NORMALIZE_WHITESPACE
        <BLANKLINE>
         in %  overall IoU  mean IoU  P@0.5
         ──────────────────────────────────
         val         61.23         –  70.00
        <BLANKLINE>
    """
    present = {key for metrics in rows.values() for key in metrics if key.startswith(_PRECISION)}
    precisions = sorted(present, key=lambda key: float(key.removeprefix(_PRECISION)))
    accuracies = [key for key in _ACCURACIES if any(key in metrics for metrics in rows.values())]
    keys = [*_TITLES, *precisions, *accuracies]
    table = FigureTable("in %", [*map(metric_title, keys)], title)
    for name, metrics in rows.items():
        values = [metrics.get(key, math.nan) for key in keys]
        table.add_row(name, *(_percent(value) for value in values))
    return table


def word_table(curves: Mapping[str, Mapping[int, float]]) -> FigureTable:
    """Lay out how overall IoU grows while the sentences are read, in percent.

    Args:
        curves: split -> percentage of the words read -> overall IoU, [0, 1].

    Example:
        >>> from rich.console import Console
        >>> table = word_table({"val": {50: 0.4, 100: 0.61234}})
        >>> Console(width=60).print(table)  # doctest: +NORMALIZE_WHITESPACE
        <BLANKLINE>
         overall IoU in %, words read   50 %  100 %
         ──────────────────────────────────────────
         val                           40.00  61.23
        <BLANKLINE>
    """
    percentages = sorted({percentage for points in curves.values() for percentage in points})
    headings = [f"{percentage} %" for percentage in percentages]
    table = FigureTable("overall IoU in %, words read", headings)
    for split, points in curves.items():
        values = (points.get(percentage, math.nan) for percentage in percentages)
        table.add_row(split, *map(_percent, values))
    return table


def protocol_table(
    rows: Mapping[str, Mapping[str, float]],
    protocols: Mapping[str, Protocol],
    title: str | None = None,
) -> FigureTable:
    """Lay out what the same predictions are worth under several protocols, in percent.

    Figures that a protocol's own code does not print have a star.

    Args:
        rows: the metrics by the name of the protocol.
        protocols: by name.
        title: printed above.

    Example:
        >>> from rich.console import Console
        >>> from refseg.evaluation import PROTOCOLS
        >>> figures = {"overall_iou": 0.6, "mean_iou": 0.5}
        >>> table = protocol_table({"standard": figures, "cris": figures}, PROTOCOLS)
        >>> Console(width=60).print(table)  # doctest: +NORMALIZE_WHITESPACE
        <BLANKLINE>
         in %      overall IoU  mean IoU
         ───────────────────────────────
         standard       60.00      50.00
         cris           60.00*     50.00
        <BLANKLINE>
    """
    keys = list(dict.fromkeys(key for metrics in rows.values() for key in metrics))
    table = FigureTable("in %", [*map(metric_title, keys)], title)
    starred = {key for key in keys for name in rows if key not in protocols[name].reported}
    for name, metrics in rows.items():
        cells = [_percent(metrics.get(key, math.nan)) for key in keys]
        # A space where others have a star, so that the digits stand below each other.
        marks = [
            "*" if key not in protocols[name].reported else " " * (key in starred) for key in keys
        ]
        table.add_row(name, *(cell + mark for cell, mark in zip(cells, marks, strict=True)))
    return table


def protocol_notes(protocols: Iterable[Protocol]) -> Table:
    """What is particular about each protocol, and what the star means.

    Args:
        protocols: those of a `protocol_table`.
    """
    notes = Table.grid(padding=(0, 2, 0, 1))
    shown = list(protocols)
    for protocol in shown:
        notes.add_row(protocol.name, protocol.summary)
    if any(set(STANDARD.reported) - set(protocol.reported) for protocol in shown):
        notes.add_row("*", "not a figure that this code prints, but counted in its manner")
    return notes


def metric_title(metric: str) -> str:
    """A metric as tables call it.

    Example:
        >>> metric_title("overall_iou"), metric_title("precision@0.5")
        ('overall IoU', 'P@0.5')
    """
    return {**_TITLES, **_ACCURACIES}.get(metric, metric.replace(_PRECISION, "P@"))


def write_metrics(path: Path, metrics: Mapping[str, object]) -> None:
    """Write metrics as a JSON file, with all their digits; the file appears whole or not at all.

    Reading it back gives the same floats, bit for bit. JSON knows neither NaN nor infinity: a
    figure that is not finite becomes null.

    Args:
        path: of the file; folders above it are made.
        metrics: figures, texts, lists and mappings of them.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "metrics.json")
        >>> write_metrics(path, {"val": {"overall_iou": 0.1 + 0.2, "mean_iou": math.nan}})
        >>> json.loads(path.read_text())
        {'val': {'overall_iou': 0.30000000000000004, 'mean_iou': None}}
    """
    text = json.dumps(_finite(metrics), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def empty_text(splits: Mapping[str, int]) -> str:
    """What is to be known of splits in which all predictions are empty.

    Args:
        splits: the number of expressions of each.

    Example:
        >>> empty_text({"val": 1_200})
        'not one pixel is predicted for any of the 1,200 expressions of val.'
    """
    named = [f"{count:,} expressions of {split}" for split, count in splits.items()]
    return f"not one pixel is predicted for any of the {' and the '.join(named)}."


def missing_text(missing: Mapping[str, int]) -> str:
    """What is to be known of expressions without a prediction; an empty text if all have one.

    Args:
        missing: the number of them in each split.

    Example:
        >>> missing_text({"val": 3, "testA": 0})
        '3 expressions of val have no prediction and count as empty masks.'
    """
    named = [f"{count:,} expressions of {split}" for split, count in missing.items() if count]
    return f"{' and '.join(named)} have no prediction and count as empty masks." if named else ""


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if math.isfinite(value) else _UNKNOWN


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
