"""`refseg bench evaluation`."""

import json
from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.benchmarks.evaluation import measure_evaluation


def test_measures_beside_a_network(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "evaluation", "--expressions", "100", "--picture", "48", "64"]
    words += ["--checkpoint", str(run / "checkpoints" / "best.ckpt")]
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["expressions"] == 112, "whole batches"
    assert 0.5 < figures["overall_iou"] < 1
    assert set(figures["network"]) == {"one_by_one", "together"}
    assert all(found["overhead"] > 0 for found in figures["network"].values())
    assert "evaluation takes longer by" in capsys.readouterr().out


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluation", "--expressions", "0"]) == 2
    assert "--expressions: expected a whole number from 1, got 0" in capsys.readouterr().err
    assert main(["bench", "evaluation", "--picture", "0", "5"]) == 2
    assert "--picture: expected a whole number from 1, got 0" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_does_not_grow() -> None:
    """By far less than what the masks of a few batches take, where there are hundreds of them."""
    figures = measure_evaluation(10_000)
    assert figures.growth < 30_000_000
    assert figures.growth_at_end < 40_000_000
