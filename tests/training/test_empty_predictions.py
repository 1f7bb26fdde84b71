"""A model that predicts nothing is told from one that predicts wrongly."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from refseg.__main__ import main
from refseg.evaluation.metrics import Counts
from tests.conftest import TINY


def test_everybody_says_that_nothing_is_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training, evaluation, comparison: logits are far below 0, whatever three steps taught."""
    from refseg.models.segmenter import Segmenter
    from refseg.types import Batch, Output

    each = Segmenter.each

    def far_below(self: Segmenter, batch: Batch) -> Iterator[tuple[Batch, Output]]:
        for alone, output in each(self, batch):
            yield alone, replace(output, logits=output.logits - 1e4)

    monkeypatch.setattr(Segmenter, "each", far_below)
    run = tmp_path / "run"
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(run)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert re.search(
        r"^After step 3 of 3, learning rate \S+: not one pixel is predicted for any of the \d+ "
        r"expressions of val\.$",
        out,
        re.MULTILINE,
    )
    note = "expressions of val after 3 steps of training. This is usual in the first hundreds"
    assert note in out[out.index("examples:") :], "below the figures"

    assert main(["validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]) == 0
    assert note in capsys.readouterr().out
    summary = json.loads((run / "validate" / "summary.json").read_text())
    assert summary["trained_steps"] == 3

    checkpoint = str(run / "checkpoints" / "best.ckpt")
    options = ["--data.test_splits=[val]", "--output", str(tmp_path / "masks")]
    assert main(["predict", "--ckpt_path", checkpoint, *options]) == 0
    count = len((tmp_path / "masks" / "predictions.jsonl").read_text().splitlines())
    assert f"Note: all {count} masks are empty. This is usual" in capsys.readouterr().out

    monkeypatch.setenv("COLUMNS", "300")
    assert main(["compare", str(run), "--resamples=100"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"Note: Trained for run: 3 steps in \d+ s\.", out)
    assert re.search(r"Note: run: not one pixel is predicted for any of the \d+ expressions", out)
    page = tmp_path / "page.html"
    assert main(["report", str(run), "--resamples=100", "--cases=0", "--output", str(page)]) == 0
    text = page.read_text()
    assert re.search(r"trained for.{1,40}3 steps in \d+ s", text, re.DOTALL)
    assert re.search(r"not one pixel is predicted for any of the \d+ expressions of val", text)


def test_a_model_that_predicts_says_nothing_of_it(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = json.loads((run / "metrics.json").read_text())
    assert main(["validate", "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]) == 0
    is_empty = results["metrics"]["val"]["overall_iou"] == 0
    assert ("not one pixel" in capsys.readouterr().out) == is_empty


def test_unknown_areas_tell_nothing() -> None:
    column = torch.tensor([0, 0])
    assert not Counts(column, column, column + 9, column - 1).nothing_predicted
    assert not Counts(column, column, column, column).nothing_predicted, "nothing is named"
    assert Counts(column, column, column + 9, column + 9).nothing_predicted
