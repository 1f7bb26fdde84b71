"""What `refseg sweep` refuses, and how it says so."""

from pathlib import Path

import pytest
from filelock import FileLock

from refseg.__main__ import main
from refseg.cli.sweep import sweep
from refseg.errors import ConfigError

from .fake_sweep import Place


def test_refuses_a_folder_that_is_no_run(place: Place) -> None:
    place.save(run_cap=1)
    place.sweep()
    folder = next(folder for folder in place.output.iterdir() if folder.is_dir())
    (folder / "run.json").unlink()
    with pytest.raises(ConfigError, match="not a run of a sweep"):
        place.sweep()
    assert (folder / "metrics.json").exists()


def test_refuses_to_work_beside_another_sweep(place: Place) -> None:
    place.output.mkdir()
    with FileLock(place.output / ".lock"), pytest.raises(ConfigError, match="Another sweep"):
        place.sweep()
    assert place.calls() == []


def test_names_a_program_that_is_not_there(place: Place) -> None:
    place.save(command=["${env}", "no-such-program", "${args}"])
    with pytest.raises(ConfigError, match="no-such-program"):
        place.sweep()


def test_a_missing_file_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"nothing\.yaml.*configs"):
        sweep("sweeps/nothing.yaml")


@pytest.mark.parametrize("words", [["s.yaml", "--trainer.max_steps=5"], ["s.yaml", "--jobs", "0"]])
def test_wrong_words_end_with_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words]) == 2
    assert "refseg sweep" in capsys.readouterr().err
