"""`refseg bench limits`."""

import json
import re
from pathlib import Path

import pytest
import torch

import refseg.benchmarks.turns
from refseg.__main__ import main

SMALL = ["--grid", "3", "--dim", "6", "--hidden_dim", "4", "--words", "13", "--expressions", "5"]
SMALL += ["--images", "2", "--rounds", "2", "--image_size", "64", "--expressions_per_image", "2.5"]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)


def test_a_row_for_each_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "figures.json"
    assert main(["bench", "limits", "mlstm", "lengths", *SMALL, "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    written = json.loads(path.read_text())
    assert written["size"]["hidden_dim"] == 4
    names = ["mlstm", "mlstm, backward", "lengths, backward"]
    assert [row["name"] for row in written["cases"]] == names
    for row in written["cases"]:
        pattern = re.compile(rf" *{re.escape(row['name'])}  +[\d,.]+.*")
        lines = [*filter(pattern.fullmatch, printed.splitlines())]
        assert len(lines) == 3
        time, share, size = lines
        assert f"{1000 * row['ours']['median']:,.1f} ms" in time
        assert f"{row['speedup']['median']:.2f} (" in share
        assert f"{row['to_limit']['median']:.2f} (" in share
        assert f"{row['parameters']:,}" in size
    assert all(len(line.rstrip()) <= 80 for line in printed.splitlines()[:-1])


@pytest.mark.slow
def test_networks(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    assert main(["bench", "limits", "early", "one_by_one", *SMALL, "--json", str(path)]) == 0
    early, one_by_one = json.loads(path.read_text())["cases"]
    assert early["difference"] < 1e-5
    assert one_by_one["difference"] < 1e-5
    assert early["flops"] < early["reference_flops"]
    assert 2 * one_by_one["flops"] < one_by_one["reference_flops"], "5 sentences on 2 images"


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "limits", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
    assert main(["bench", "limits", "--expressions", "3"]) == 2
    assert "lower --images" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "limits", "--device", "cuda"]) == 2
    assert "There is no GPU that torch can use" in capsys.readouterr().err
