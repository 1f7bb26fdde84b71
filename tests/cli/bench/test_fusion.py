"""`refseg bench fusion`."""

import json
from pathlib import Path

import pytest
import torch

import refseg.benchmarks.turns
from refseg.__main__ import main
from refseg.cli.bench.fusion import _all_fusions
from tests.conftest import TINY

SMALL = [word for word in TINY if word.startswith(("--data.", "--model."))]
FEW = ["--images", "2", "--expressions_per_image", "2.5", "--repeats", "2"]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)


def test_a_row_for_each_config(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    mine = tmp_path / "mine.yaml"
    mine.write_text("model: {decoder: decoder/bilinear.yaml, fusion: fusion/language_aware.yaml}")
    configs = ["fusion/mlstm.yaml", str(mine), "fusion/mlstm.yaml"]
    path = tmp_path / "figures.json"
    assert main(["bench", "fusion", *configs, *FEW, "--json", str(path), *SMALL]) == 0
    printed = capsys.readouterr().out
    written = json.loads(path.read_text())
    assert written["expressions"] == 5
    assert written["image_size"] == 48
    mlstm, early = written["fusions"]
    # The network is the one that `refseg fit` trains with the same options.
    trained = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    weights = {name: w for name, w in trained.items() if not name.endswith(buffers)}
    assert mlstm["parameters"] == sum(map(torch.numel, weights.values()))
    parts = ("segmenter.fusion.", "segmenter.decoder.")
    of_parts = [w for name, w in weights.items() if name.startswith(parts)]
    assert mlstm["fusion_parameters"] == sum(map(torch.numel, of_parts))
    # Every table shows each once, and the file has what the tables have.
    lines = printed.splitlines()
    for row, name in ((mlstm, "mlstm"), (early, "mine")):
        assert row["name"] == name
        size, time, sharing = (line.split() for line in lines if line.split()[:1] == [name])
        assert size[1] == f"{row['parameters']:,}"
        assert size[2] == f"{row['fusion_parameters']:,}"
        assert size[3] == f"{row['flops'] / 1e6:,.1f}"
        assert size[4] == f"{row['memory'] / 1e6:,.1f}"
        assert time[1] == f"{1000 * row['forward']['median']:.2f}"
        assert f"{1000 * row['training']['median']:.2f}" in time
        assert f"{row['one_per_image_ratio']['median']:.2f}" in sharing
    assert early["sites"] == [2, 3]
    assert "mine (early)" in printed
    assert all(len(line.rstrip()) <= 80 for line in lines if not line.startswith("figures"))


def test_by_default_each_fusion_of_the_package() -> None:
    found = [Path(config).stem for config in _all_fusions()]
    assert len(found) == len(set(found)) >= 7
    assert {"concat", "film", "mlstm"} <= set(found)


@pytest.mark.slow
def test_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fusion", *FEW, *SMALL]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert all(names.count(Path(config).stem) == 3 for config in _all_fusions())


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fusion", "--images", "0"]) == 2
    assert "--images: expected a whole number from 1, got 0" in capsys.readouterr().err
    assert main(["bench", "fusion", "--expressions_per_image", "0.5"]) == 2
    assert "expected a number from 1, got 0.5" in capsys.readouterr().err
    assert main(["bench", "fusion", "--expressions_per_image", "inf"]) == 2
    assert "expected a number from 1, got inf" in capsys.readouterr().err
    assert main(["bench", "fusion", "--expressions_per_image", "many"]) == 2
    assert "expected a number from 1, got 'many'" in capsys.readouterr().err
    assert main(["bench", "fusion", "compared/nothing_like_it.yaml"]) == 2
    assert "No config nothing_like_it.yaml" in capsys.readouterr().err
    assert main(["bench", "fusion", "fusion/film.yaml", "--words", "30", *SMALL]) == 2
    assert "lower --words, or raise data.tokenizer.max_words" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fusion", "--device", "cuda"]) == 2
    assert "There is no GPU that torch can use" in capsys.readouterr().err
