"""A comparison for programs: JSON with everything, and CSV with a row for each figure."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from refseg.analysis.comparison import Part
from refseg.analysis.examples import Example
from refseg.analysis.findings import Findings
from refseg.analysis.runs import Contenders
from refseg.analysis.verdict import breakdown_verdict
from refseg.evaluation import write_metrics
from refseg.files import write_text

COLUMNS = (
    "split",
    "by",
    "group",
    "expressions",
    "images",
    "metric",
    "model",
    "against",
    "value",
    "low",
    "high",
    "seeds",
    "deviation",
    "p_value",
    "p_holm",
    "p_seeds",
    "excess",
    "excess_low",
    "excess_high",
    "excess_p_holm",
)
"""Of the CSV. Rows with something in `against` are differences; figures are in [0, 1]."""


def write_csv(path: Path, parts: Sequence[Part]) -> None:
    """Write a row for each figure and each difference.

    Args:
        path: of the file.
        parts: of the comparison.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(parts))
    write_text(path, text.getvalue())


def write_json(path: Path, contenders: Contenders, found: Findings) -> None:
    """Write all that was found.

    Args:
        path: of the file.
        contenders: what was compared.
        found: what came out.
    """
    content = {
        "models": {name: [str(one.path) for one in runs] for name, runs in contenders.items()},
        "figures": list(rows(found.parts)),
        "examples": {
            other: {
                "gains": [_example(example) for example in gains],
                "losses": [_example(example) for example in losses],
            }
            for other, (gains, losses) in found.examples.items()
        },
        "verdicts": {
            other: [
                text,
                *(
                    breakdown_verdict(members, found.metric, found.first, other)
                    for members in found.breakdowns()
                ),
            ]
            for other, text in zip(found.others, found.verdicts, strict=True)
        },
        "notes": list(found.notes),
    }
    write_metrics(path, content)


def rows(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """The rows of the CSV, by the names of `COLUMNS`; what does not apply is absent."""
    for part in parts:
        where = dict(zip(COLUMNS, part[:5], strict=False))
        for metric, figures in part.figures.items():
            for name, figure in figures.items():
                row = {**where, "metric": metric, "model": name, **figure.interval._asdict()}
                row["seeds"] = len(figure.seeds)
                if figure.deviation is not None:
                    row["deviation"] = figure.deviation
                yield row
            first = next(iter(figures))
            for other, gain in part.gains[metric].items():
                row = {**where, "metric": metric, "model": first, "against": other}
                row |= gain.difference._asdict()
                if gain.adjusted is not None:
                    row["p_holm"] = gain.adjusted
                if gain.noise is not None:
                    row["p_seeds"] = gain.noise.p_value
                if gain.excess is not None:
                    value, row["excess_low"], row["excess_high"], _ = gain.excess
                    row |= {"excess": value, "excess_p_holm": gain.excess_adjusted}
                yield row


def _example(example: Example) -> dict[str, Any]:
    return {**example._asdict(), "gain": example.gain}
