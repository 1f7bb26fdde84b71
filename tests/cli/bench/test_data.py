"""`refseg bench data`, small."""

import json
from pathlib import Path

import pytest

import refseg.benchmarks.turns
from refseg.__main__ import main


@pytest.mark.slow
def test_measures_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "data", "--images", "1000", "--workers", "4", "--processes", "3"]
    words += ["--keep", str(tmp_path / "set"), "--json", str(tmp_path / "figures.json")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["size"]["expressions"] == figures["epoch"]["expressions"] == 7110
    assert "7,110" in printed
    assert figures["cold"]["builds"] == 1
    assert [opening["builds"] for opening in figures["warm"]] == [0, 0, 0]
    assert sum(opening["builds"] for opening in figures["concurrent"]) == 1
    openings = [figures["cold"], *figures["warm"], *figures["concurrent"]]
    assert len({opening["fingerprint"] for opening in openings}) == 1
    for worker in figures["epoch"]["workers"]:
        assert worker["most"] - worker["after_first"] < 30_000_000
        assert worker["at_end"] - worker["at_start"] < 40_000_000
        assert 0 < worker["after_first"] <= worker["most"] < 60_000_000
    assert "pages that it alone has written" in " ".join(printed.split())
    # Again, with the set that is there and workers that are sent their table.
    assert main([*words, "--start_method", "spawn"]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    for worker in figures["epoch"]["workers"]:
        assert worker["at_end"] - worker["at_start"] < 60_000_000


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "data", "--images", "3"]) == 2
    assert "--images: expected a whole number from 20, got 3" in capsys.readouterr().err
    (tmp_path / "something").touch()
    assert main(["bench", "data", "--keep", str(tmp_path)]) == 2
    assert "name another folder with --keep" in capsys.readouterr().err


def test_a_data_set_that_options_name(
    shapes_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refseg.benchmarks.turns, "ROUND_SECONDS", 0.001)
    path = tmp_path / "figures.json"
    words = ["bench", "data", "--data.root", str(shapes_root), "--data.image_size=64"]
    assert main([*words, "--photos", "3", "--rounds", "1", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert [*figures] == ["loading"], "nothing is generated"
    assert figures["loading"]["images"] == 3
    printed = capsys.readouterr().out
    assert f"{figures['loading']['speedup']['median']:.2f} (" in printed
    assert f"{figures['loading']['to_limit']['median']:.2f} (" in printed
