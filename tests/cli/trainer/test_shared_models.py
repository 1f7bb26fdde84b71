"""The trainer's verbs with models that were shared."""

import json
from pathlib import Path

import pytest

import refseg
from refseg.__main__ import main
from refseg.evaluation.results import read_results

QUIET = ("--data.num_workers=0", "--trainer.enable_progress_bar=false")


@pytest.fixture(scope="module")
def shared(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny run's model."""
    folder = tmp_path_factory.mktemp("shared") / "tiny"
    return refseg.load(run / "checkpoints" / "best.ckpt").save_pretrained(folder)


def test_a_shared_model_is_evaluated_as_its_checkpoint(
    run: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = run / "checkpoints" / "best.ckpt"
    own = [f"--checkpoint={checkpoint}", f"--output={tmp_path / 'own'}"]
    assert main(["test", *own, *QUIET]) == 0
    assert main(["test", "--checkpoint", str(shared), *QUIET]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("test-tiny-"), "nothing is written into a shared model"
    one, other = read_results(tmp_path / "own"), read_results(folder)
    assert one.table.equals(other.table)
    assert other.summary["trained_steps"] == one.summary["trained_steps"]
    assert json.loads((folder / "metrics.json").read_text())["checkpoint"] == str(shared)


def test_nothing_goes_on_from_a_shared_model(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", "rmi.yaml", "--ckpt_path", str(shared), *QUIET]
    assert main([*words, f"--output={tmp_path / 'run'}"]) == 2
    assert f"--model.start_from {shared}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
