"""Classes of a user's own package, named by their paths in the working directory, in each verb."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

import refseg
from refseg.__main__ import main
from refseg.cli.trainer.own_classes import packages_here
from refseg.errors import CheckpointError

from ...conftest import TINY_DATA

SOURCE = Path(__file__).parents[1] / "own_package.py"
CLASSES = {
    "backbone": "MyBackbone",
    "text_encoder": "MyEncoder",
    "fusion": "MyFusion",
    "decoder": "MyDecoder",
    "loss": "MyLoss",
    "lr_scheduler": "MySchedule",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A package in the working directory, and `mine.yaml`, which names its classes."""
    name = f"package_{abs(hash(request.node.nodeid))}"
    (tmp_path / name).mkdir()
    shutil.copy(SOURCE, tmp_path / name / "__init__.py")
    model: dict[str, object] = {
        part: {"class_path": f"{name}.{kind}"} for part, kind in CLASSES.items()
    }
    model["fusion"] = "fusion/mine.yaml"
    (tmp_path / "fusion").mkdir()
    fusion = {"class_path": f"{name}.MyFusion", "init_args": {"hidden_dim": 4}}
    (tmp_path / "fusion" / "mine.yaml").write_text(yaml.safe_dump(fusion))
    config = {
        "seed_everything": 0,
        "trainer": "trainer/default.yaml",
        "data": "data/shapes.yaml",
        "model": model,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    # As in an installed command: no place stands for the working directory.
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    return name


def test_every_verb_from_an_empty_folder(
    package: str, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = "run/checkpoints/best.ckpt"
    quiet, option = "--trainer.enable_progress_bar=false", f"--import={package}"
    assert main(["fit", "--config", "mine.yaml", *TINY_DATA, "--output", "run"]) == 0
    verbs = {
        "test": ["--checkpoint", checkpoint, quiet, "--data.test_splits=[val]", "--output", "test"],
        "segment": [str(photo), "red star", "--checkpoint", checkpoint, "--output", "masks"],
        "evaluate": [checkpoint, "--splits", "val", "--output", "evaluate"],
        "report": ["test", "--output", "report.html", "--resamples", "100", "--cases", "1"],
    }
    for verb, words in verbs.items():
        monkeypatch.setattr("refseg.checkpoint.packages._named", set())
        code = main([verb, *words])
        said = capsys.readouterr().err
        if verb == "report":  # without the network, it has all the rest
            assert code == 0
            said = re.sub("<[^>]*>", "", Path("report.html").read_text())
        else:
            assert code == 2
        assert f"--import {package}" in said, verb
        assert main([verb, *words, option]) == 0, verb


def test_a_network_of_ones_own(
    package: str, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It trains, goes on, and is opened as a part is."""
    words = ["fit", "--config", "mine.yaml", *TINY_DATA, "--output", "run"]
    words += [f"--model.segmenter={package}.MySegmenter", "--model.segmenter.start=2.5"]
    assert main(words) == 0
    assert main([*words, "--ckpt_path", "last", "--trainer.max_epochs=2"]) == 0
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())
    checkpoint = "run/checkpoints/best.ckpt"
    with pytest.raises(CheckpointError, match=f"--import {package}"):
        refseg.load(checkpoint)
    segmenter = refseg.load(checkpoint, import_packages=[package]).segmenter
    assert type(segmenter).__name__ == "MySegmenter"
    assert segmenter.sharpness.item() == pytest.approx(2.5, abs=0.1)
    assert segmenter.sharpness.item() != 2.5
    test = ["test", "--checkpoint", checkpoint, "--data.test_splits=[val]"]
    assert main([*test, "--import", package, "--trainer.enable_progress_bar=false"]) == 0
    assert main([*words[:-2], "--model.segmenter=mine.MySegmenter"]) == 2
    assert "Unknown class 'mine.MySegmenter' for model.segmenter" in capsys.readouterr().err


def test_going_on_needs_no_option(package: str) -> None:
    words = ["fit", "--config", "mine.yaml", *TINY_DATA, "--output", "run"]
    assert main(words) == 0
    assert main([*words, "--ckpt_path", "last", "--trainer.max_epochs=2"]) == 0


@pytest.mark.slow
def test_sweeps_hand_packages_on(package: str, tmp_path: Path) -> None:
    values = {"values": ["fusion/mine.yaml", f"{package}.MyFusion"]}
    content = {
        "program": "refseg",
        "method": "grid",
        "command": ["${program}", "fit", "--config", "mine.yaml", "${args}"],
        "parameters": {"model.fusion": values},
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    overrides = [*TINY_DATA, "--trainer.fast_dev_run=true"]
    code = main(["sweep", "sweep.yaml", "--output", "s", "--import", package, "--", *overrides])
    assert code in (0, 1)  # of a step of trial there are no figures
    for log in (tmp_path / "s").glob("*/log.txt"):
        assert "error" not in log.read_text()
        assert f"--import={package}" in (log.parent / "run.json").read_text()


def test_messages_say_what_is_wrong_with_a_path(
    package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, message in {
        f"{package}.MyFusoin": f"'{package}' has no class of this name. Did you mean MyFusion?",
        f"{package}.MyDecoder": "it is a Decoder, and expected is a Fusion",
        "no_such_package.MyFusion": "there is no package 'no_such_package' in the working dir",
        f"{package}.no.MyFusion": f"'{package}.no' cannot be imported",
    }.items():
        assert main(["fit", "--config", "mine.yaml", *TINY_DATA, f"--model.fusion={path}"]) == 2
        error = capsys.readouterr().err
        assert f"Unknown class '{path}' for model.fusion: {message}" in error


def test_a_package_that_fails_says_so_and_where_it_is_named(
    package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / package / "__init__.py").write_text("import nothing_of_the_kind\n")
    assert main(["fit", "--config", "mine.yaml", *TINY_DATA]) == 2
    error = capsys.readouterr().err
    assert f"Cannot import the package '{package}' of " in error
    assert "mine.yaml" in error
    assert "nothing_of_the_kind" in error


def test_only_the_working_directory_is_looked_in(package: str, tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()  # an installed package comes first
    (tmp_path / "single.py").touch()
    words = ["--model.fusion=single.A", "--model.loss", "yaml.B", "--output=no.where"]
    assert packages_here(words) == {"single": "the command line"}
    found = packages_here(["--config", "mine.yaml"])
    assert list(found) == [package]
