"""`refseg export`: two graphs in a folder."""

from pathlib import Path

import pytest

from refseg.__main__ import main
from tests.inference.small_checkpoint import write_checkpoint


def test_programs_of_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = write_checkpoint(tmp_path / "random.ckpt")
    folder = tmp_path / "exported"
    words = ["export", str(checkpoint), "--format", "torch", "--output", str(folder)]
    assert main(words) == 0
    graphs = {"letterbox.pt2", "features.pt2", "logits.pt2", "own_size.pt2"}
    assert {path.name for path in folder.iterdir()} == {"export.json", *graphs}
    assert "features.pt2" in capsys.readouterr().out
    assert main(words) == 2
    assert "new or empty folder" in capsys.readouterr().err


def test_a_network_that_transformers_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "random.ckpt")
    folder = tmp_path / "exported"
    words = ["export", str(checkpoint), "--format", "transformers", "--output", str(folder)]
    assert main(words) == 2
    assert "Expected a CLIPSeg" in capsys.readouterr().err
    assert not folder.exists()


def test_without_a_checkpoint_it_takes_the_newest_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export"]) == 2
    assert "found no finished run" in capsys.readouterr().err
