"""`refseg evaluate`, and `--evaluation.protocol` of the trainer's verbs."""

import gc
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from refseg.__main__ import main
from refseg.cli.trainer.distributed import TOLD
from refseg.errors import Stopped
from refseg.evaluation import PROTOCOLS
from refseg.training.module import ReferringSegmentation

from ..data.fake_grefcoco import grefs, write_fake_grefcoco, write_grefs


@pytest.fixture
def checkpoint(run: Path) -> str:
    return str(run / "checkpoints" / "best.ckpt")


def modules_in_memory() -> int:
    gc.collect()
    return sum(type(found) is ReferringSegmentation for found in gc.get_objects())


def test_all_protocols_in_one_table(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", checkpoint, "--all_protocols", "--splits", "val"]
    assert main([*words, "--data.num_workers", "0", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for name in PROTOCOLS:
        assert f" {name} " in shown
    results = json.loads((tmp_path / "metrics.json").read_text())
    assert list(results["protocols"]) == list(PROTOCOLS)
    assert results["protocol"] == "standard"
    assert results["metrics"] == results["protocols"]["standard"]
    assert list(results["metrics"]) == ["val"]


def test_the_protocol_is_written_beside_its_figures(
    checkpoint: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads((run / "metrics.json").read_text())["protocol"] == "standard"
    words = ["validate", "--ckpt_path", checkpoint, "--output", str(tmp_path)]
    assert main([*words, "--evaluation.protocol", "lavt"]) == 0
    assert "lavt  mask squashed to 480 × 480" in capsys.readouterr().out
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"] == "lavt"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "none.ckpt", "--all_protocols"], "There is no checkpoint none.ckpt"),
        (["evaluate", "none.ckpt", "--protocol", "lavd"], "Unknown protocol 'lavd'; choose among"),
    ],
)
def test_mistakes(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_checkpoint_given_twice(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", checkpoint, checkpoint]) == 2
    assert "is given twice; name each checkpoint once" in capsys.readouterr().err


@pytest.mark.slow
def test_one_that_fails_does_not_keep_the_others_from_it(
    checkpoint: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one process: the figures are those of `refseg test`, which is called by itself."""
    broken = tmp_path / "broken.ckpt"
    broken.write_text("no checkpoint")
    other = shutil.copy(checkpoint, tmp_path / "other.ckpt")
    words = ["evaluate", str(broken), checkpoint, str(other), "--splits", "val", "testA"]
    environment, arguments = dict(os.environ), list(sys.argv)
    modules = modules_in_memory()
    assert main([*words, "--data.num_workers", "0", "--output", str(tmp_path / "out")]) == 1
    assert (dict(os.environ), sys.argv) == (environment, arguments)
    assert modules_in_memory() == modules, "each evaluation frees its memory"
    shown = capsys.readouterr()
    assert "refseg: error: " in shown.err
    assert "broken.ckpt" in shown.err
    folders = [path.parent for path in sorted((tmp_path / "out").rglob("metrics.json"))]
    assert len(folders) == 2
    assert main(["test", "--checkpoint", checkpoint, "--output", str(tmp_path / "test")]) == 0
    expected = json.loads((tmp_path / "test" / "metrics.json").read_text())["metrics"]
    for folder in folders:
        found = json.loads((folder / "metrics.json").read_text())["metrics"]
        assert found == {split: expected[split] for split in ("val", "testA")}
    assert "overall IoU in %, testA" in shown.out
    assert main(["evaluate", str(broken)]) == 2


@pytest.mark.parametrize(
    ("ending", "code", "evaluated"),
    [
        (KeyboardInterrupt(), 130, 1),
        (Stopped(signal.SIGTERM), 143, 1),
        (SystemExit(TOLD), 2, 2),  # a process of a distributed evaluation has failed
        (MemoryError(), 2, 2),
    ],
)
def test_a_signal_ends_the_whole_evaluation_and_a_failure_does_not(
    ending: BaseException,
    code: int,
    evaluated: int,
    checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def fail(words: list[str]) -> NoReturn:
        seen.append(words)
        raise ending

    monkeypatch.setattr("refseg.cli.trainer.run.test_figures", fail)
    other = shutil.copy(checkpoint, tmp_path / "other.ckpt")
    assert main(["evaluate", checkpoint, str(other)]) == code
    assert len(seen) == evaluated


def test_an_unknown_protocol_of_a_verb(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["validate", "--ckpt_path", checkpoint, "--evaluation.protocol", "lavd"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "lavd" in error
    assert "text_objseg" in error


def test_figures_that_are_not_defined_are_dashes(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """gRefCOCO, and no expression of the split names anything: there is no T-acc."""
    root = write_fake_grefcoco(tmp_path / "root")
    refs, instances = grefs()
    write_grefs(root, [r for r in refs if r["split"] != "val" or r["no_target"]], instances)
    words = ["evaluate", checkpoint, "--protocol", "standard", "--splits", "val"]
    words += ["--data.root", str(root), "--data.dataset", "grefcoco", "--data.num_workers", "0"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert (
        json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]["val"][
            "target_accuracy"
        ]
        is None
    )
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "standard  " in line][:1]
    assert row.split()[-1] == "–"
