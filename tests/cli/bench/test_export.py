"""`refseg bench export`."""

import json
from pathlib import Path

import pytest

from refseg.__main__ import main
from tests.inference.small_checkpoint import write_checkpoint


@pytest.mark.slow
def test_measures_beside_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    checkpoint = write_checkpoint(tmp_path / "random.ckpt")
    words = ["bench", "export", str(checkpoint), "--repeats", "3", "--sentences", "2"]
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    (row,) = json.loads((tmp_path / "figures.json").read_text())
    assert row["fusion"] == "MultimodalLSTM"
    assert set(row["sizes"]) == {"letterbox", "features", "logits", "own_size"}
    assert all(size > 1000 for size in row["sizes"].values())
    assert 0 < row["features"]["median"] < row["exported"]["most"]
    assert row["largest_difference"] < 1e-4
    printed = capsys.readouterr().out
    assert "Sentences about one picture: 2" in printed
    assert "MultimodalLSTM" in printed


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "export", "absent.ckpt", "--sentences", "0"]) == 2
    assert "--sentences: expected a whole number from 1, got 0" in capsys.readouterr().err
