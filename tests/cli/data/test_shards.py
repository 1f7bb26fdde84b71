"""`refseg data shards` as a user calls it."""

from pathlib import Path

import pytest

from refseg.__main__ import main
from refseg.data.streaming.shards import open_shards

from ...data.fake_refer import write_fake_refer


def test_packs_and_says_how_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_fake_refer(tmp_path / "root")
    words = ["data", "shards", "fake", "--root", str(root), "--output", str(tmp_path / "out")]
    assert main([*words, "--split_by", "unc", "--splits", "train", "testB"]) == 0
    assert open_shards(str(tmp_path / "out")).splits == ("train", "testB")
    shown = capsys.readouterr().out
    assert "train:         4 images        24 expressions     1 shards" in shown
    assert f"--data.stream {tmp_path / 'out'}" in shown
    assert main(words) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_a_root_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "shards", "fake", "--output", str(tmp_path / "out")]) == 2
    assert "'fake' needs a folder: give it with --root" in capsys.readouterr().err
