"""What a run logs of the sweep's metric while it is at work."""

import json
import math
from pathlib import Path

CURVE_FILE = "curve.jsonl"
"""In the folder of a run: a line per validation, with each metric by its name."""


def read_curve(folder: Path, metric: str) -> list[float]:
    """The values of a metric, one for each validation that has a finite one.

    `refseg.training.callbacks.ValidationCurve` writes them. A program of one's own may do so, too:
    a line of JSON each time, such as `{"step": 100, "val/overall_iou": 0.4}`.

    Args:
        folder: of the run.
        metric: by split and name, such as `val/overall_iou`.
    """
    try:
        lines = (folder / CURVE_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    values = []
    for line in lines:
        try:
            value = json.loads(line)[metric]
        except (ValueError, KeyError, TypeError):
            continue  # half a line, or one without this metric
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            values.append(float(value))
    return values
