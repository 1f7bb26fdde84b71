"""Tables as a reader sees them, and JSON as a program reads it."""

import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console, RenderableType

from refseg.evaluation import ReferringMetrics, metric_table, write_metrics


def _lines(table: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _figures(intersection: int) -> dict[str, float]:
    metrics = ReferringMetrics()
    metrics.update(torch.tensor([intersection, 1]), torch.tensor([10000, 3]), (1, 2))
    return {name: value.item() for name, value in metrics.compute().items()}


def test_a_row_per_split_in_percent() -> None:
    rows = {"val": _figures(8765), "testA": _figures(10000)}
    heading, _, val, test = _lines(metric_table(rows))
    assert _squeezed(heading) == "in % overall IoU mean IoU P@0.5 P@0.6 P@0.7 P@0.8 P@0.9"
    # overall: 8766 / 10003; mean: (0.8765 + 1/3) / 2
    assert _squeezed(val) == "val 87.63 60.49 50.00 50.00 50.00 50.00 0.00"
    assert _squeezed(test) == "testA 99.98 66.67 50.00 50.00 50.00 50.00 50.00"


def test_all_columns_and_digits_fit_80_columns() -> None:
    rows = {"multimodal_lstm": dict.fromkeys(_figures(1), 1.0)}
    lines = _lines(metric_table(rows, title="val"))
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.count("100.00") for line in lines) == 7
    assert "multimodal_lstm" in "".join(lines)


def test_a_narrow_terminal_loses_no_digit() -> None:
    lines = _lines(metric_table({"val": dict.fromkeys(_figures(1), 0.12345)}), width=20)
    assert max(map(len, lines)) <= 20
    figures = [word for line in lines for word in line.split() if word == "12.35"]
    assert len(figures) == 7
    headings = _squeezed(" ".join(lines).replace("12.35", ""))
    assert headings.endswith("overall IoU mean IoU P@0.5 P@0.6 P@0.7 P@0.8 P@0.9")


def test_precisions_stand_by_rising_threshold_and_unknown_figures_are_dashes() -> None:
    rows = {
        "a": {"precision@0.95": 0.1, "precision@0.5": 0.9, "loss": 7.0},
        "b": {"overall_iou": math.nan, "mean_iou": 0.5},
    }
    heading, _, first, second = _lines(metric_table(rows))
    assert _squeezed(heading) == "in % overall IoU mean IoU P@0.5 P@0.95"
    assert _squeezed(first) == "a – – 90.00 10.00"
    assert _squeezed(second) == "b – 50.00 – –"


def test_json_has_every_bit_and_nothing_but_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.json"
    figures = _figures(3333)
    write_metrics(path, {"val": figures, "seeds": (1, 2), "worst": -math.inf, "note": "größer"})
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail) == {
        "val": figures,
        "seeds": [1, 2],
        "worst": None,
        "note": "größer",
    }


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_metrics(path, {"a": 1})
    with pytest.raises(TypeError):
        write_metrics(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
