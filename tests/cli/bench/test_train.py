"""`refseg bench train`."""

import json
from pathlib import Path

import pytest

import refseg.benchmarks.turns
from refseg.__main__ import main
from tests.conftest import TINY

SMALL = [word for word in TINY if word.startswith(("--data.", "--model."))]


def test_a_row_for_each_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "figures.json"
    words = ["bench", "train", "rmi.yaml", "--images", "2", "--expressions_per_image", "2"]
    assert main([*words, "--rounds", "1", "--json", str(path), *SMALL]) == 0
    written = json.loads(path.read_text())
    assert written["expressions"] == 4
    (row,) = written["systems"]
    assert row["name"] == "rmi"
    assert row["trained"] == row["parameters"]
    printed = capsys.readouterr().out
    speed, share, size = (
        line.split() for line in printed.splitlines() if line.split()[:1] == ["rmi"]
    )
    assert speed[1] == f"{row['per_second']['median']:.2f}"
    assert share[1] == f"{100 * row['backbone_share']['median']:.0f}"
    assert size[1] == f"{row['parameters']:,}"


@pytest.mark.slow
def test_the_papers_systems(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--images", "1", "--rounds", "1", "--data.image_size", "64"]
    assert main(["bench", "train", *small]) == 0
    assert "lstm_r_refcoco" in capsys.readouterr().out


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "train", "--images", "0"]) == 2
    assert "--images: expected a whole number from 1, got 0" in capsys.readouterr().err
    assert main(["bench", "train", "nothing_like_it.yaml"]) == 2
    assert "No config nothing_like_it.yaml" in capsys.readouterr().err
