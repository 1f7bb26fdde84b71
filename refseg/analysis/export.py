"""A comparison for programs: JSON with all findings, CSV and tables with a row for each figure."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from refseg.analysis.comparison import Gain, Part
from refseg.analysis.examples import Example
from refseg.analysis.findings import Findings
from refseg.analysis.verdict import breakdown_verdict
from refseg.evaluation import write_metrics
from refseg.files import write_text

SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("by", pa.string()),
        ("group", pa.string()),
        ("expressions", pa.int64()),
        ("images", pa.int64()),
        ("metric", pa.string()),
        ("model", pa.string()),
        ("against", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("seeds", pa.int64()),
        ("deviation", pa.float64()),
        ("p_value", pa.float64()),
        ("p_holm", pa.float64()),
        ("p_seeds", pa.float64()),
        ("gain_beyond_others", pa.float64()),
        ("gain_beyond_others_low", pa.float64()),
        ("gain_beyond_others_high", pa.float64()),
        ("gain_beyond_others_p_holm", pa.float64()),
    ]
)
"""The columns of `Findings.table()` and of the CSV. Where `against` names a model, `value` is the
figure of `model` minus that one's; figures are in [0, 1]."""


def write_csv(path: Path, found: Findings) -> None:
    """Write a row for each figure and each difference.

    Args:
        path: of the file.
        found: by a comparison.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=SCHEMA.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(found.parts))
    write_text(path, text.getvalue())


def write_json(path: Path, found: Findings) -> None:
    """Write all that was found.

    Args:
        path: of the file.
        found: by a comparison.
    """
    content = {
        "models": {
            name: [str(one.path) for one in runs] for name, runs in found.contenders.items()
        },
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
        "rankings": list(found.rankings),
        "pairs": [
            {"split": split, "metric": found.metric, "model": one, "against": other, **_test(gain)}
            for split, pairs in found.pairs.items()
            for (one, other), gain in pairs.items()
        ],
        "notes": list(found.notes),
    }
    write_metrics(path, content)


def rows(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """The rows of the CSV, by the names of `SCHEMA`; what does not apply is absent."""
    for part in parts:
        where = dict(zip(SCHEMA.names, part[:5], strict=False))
        for metric, figures in part.figures.items():
            for name, figure in figures.items():
                row = {**where, "metric": metric, "model": name, **figure.interval._asdict()}
                row["seeds"] = len(figure.seeds)
                if figure.deviation is not None:
                    row["deviation"] = figure.deviation
                yield row
            first = next(iter(figures))
            for other, gain in part.gains[metric].items():
                row = {**where, "metric": metric, "model": first, "against": other, **_test(gain)}
                if gain.beyond_others is not None:
                    row["gain_beyond_others"] = gain.beyond_others.value
                    row["gain_beyond_others_low"] = gain.beyond_others.low
                    row["gain_beyond_others_high"] = gain.beyond_others.high
                    row["gain_beyond_others_p_holm"] = gain.beyond_others_adjusted
                yield row


def _test(gain: Gain) -> dict[str, Any]:
    tested: dict[str, Any] = gain.difference._asdict()
    if gain.adjusted is not None:
        tested["p_holm"] = gain.adjusted
    if gain.noise is not None:
        tested["p_seeds"] = gain.noise.p_value
    return tested


def _example(example: Example) -> dict[str, Any]:
    return {**example._asdict(), "gain": example.gain}
