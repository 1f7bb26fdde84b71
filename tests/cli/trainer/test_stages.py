"""Stages: weights go from one to the next, and a stopped training goes on where it was."""

import json
import shlex
from pathlib import Path

import pytest
import torch
import yaml

from refseg.__main__ import main
from refseg.cli.trainer.stages import run_stages
from refseg.training.going_on import entered_anywhere
from refseg.training.module import ReferringSegmentation
from refseg.training.run_lock import locked

from ..configs.test_paper_configs import SMALL_LSTM_CNN

STAGES = ["region", "lowres", "highres"]
SHORT = [
    word for word in SMALL_LSTM_CNN if not word.startswith(("--trainer.fast", "--trainer.val"))
]
FIT = (
    *("fit", "--config", "paper/lstm_cnn_referit.yaml", *SHORT),
    *("--trainer.max_steps=2", "--trainer.val_check_interval=100", "--data.batch_size=2"),
)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory, shapes_root: Path) -> Path:
    """A run of three stages that was stopped in the second one, and went on."""
    folder = tmp_path_factory.mktemp("staged")
    original = ReferringSegmentation.training_step
    with pytest.MonkeyPatch.context() as patch:

        def interrupt(self: ReferringSegmentation, batch: object, batch_index: int) -> object:
            if self.regions is None and self.global_step == 1:
                raise KeyboardInterrupt
            return original(self, batch, batch_index)

        patch.setattr(ReferringSegmentation, "training_step", interrupt)
        assert main([*FIT, "--output", str(folder)]) == 130
    assert (folder / "region" / "metrics.json").is_file()
    assert not (folder / "lowres" / "metrics.json").exists()
    assert not (folder / "highres").exists()
    commands = {path.read_text().splitlines()[1] for path in folder.rglob("RESUME.txt")}
    assert commands == {entered_anywhere([*FIT, "--output", str(folder)])}
    assert len([*folder.rglob("RESUME.txt")]) == 2, "of the stage, and of all"
    before = (folder / "region" / "metrics.json").stat().st_mtime_ns
    assert main([*FIT, "--output", str(folder)]) == 0
    assert (folder / "region" / "metrics.json").stat().st_mtime_ns == before
    assert not [*folder.rglob("RESUME.txt")]
    return folder


def test_all_stages_have_all_steps(staged: Path) -> None:
    for stage in STAGES:
        assert json.loads((staged / stage / "metrics.json").read_text())["steps"] == 2


def test_each_stage_starts_with_the_one_before_and_trains_its_part(staged: Path) -> None:
    region, lowres, highres = (weights(staged / stage) for stage in STAGES)
    upsampling = "segmenter.decoder.upsampling.weight"
    for name, weight in region.items():
        if ".backbone.trunk." in name:  # random here: had a stage started anew, it would differ
            assert torch.equal(weight, lowres[name])
            assert torch.equal(weight, highres[name])
    assert torch.equal(region[upsampling], lowres[upsampling])
    assert not torch.equal(lowres[upsampling], highres[upsampling])
    for first, second in ((region, lowres), (lowres, highres)):
        moved = (
            second["segmenter.fusion.sentence.weight"],
            first["segmenter.fusion.sentence.weight"],
        )
        assert 0 < (moved[0] - moved[1]).abs().max() < 0.1


def test_a_stage_alone_starts_from_a_checkpoint(
    staged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = staged / "region" / "checkpoints" / "best.ckpt"
    words = ["fit", "--config", "paper/lstm_cnn_referit_lowres.yaml", *SMALL_LSTM_CNN]
    words += [f"--model.start_from={checkpoint}", "--output", str(tmp_path)]
    assert main([*words, "--data.tokenizer.min_count=3"]) == 2
    assert "--data.vocabulary_from" in capsys.readouterr().err
    words.append(f"--data.vocabulary_from={checkpoint}")
    assert main(words) == 0
    assert main([*words, "--model.fusion.hidden_dim=4"]) == 2
    assert "of another shape" in capsys.readouterr().err


def test_the_checkpoint_needs_no_earlier_one(staged: Path, tmp_path: Path) -> None:
    saved = torch.load(staged / "highres" / "checkpoints" / "best.ckpt", weights_only=True)
    assert "start_from" not in saved["hyper_parameters"]
    config = yaml.safe_load(saved["refseg"]["config"])
    assert "VGG16" in config["model"]["backbone"]["class_path"]
    alone = tmp_path / "alone.ckpt"
    torch.save(saved, alone)
    assert main(["validate", "--ckpt_path", str(alone), "--output", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("option", [["--ckpt_path", "a.ckpt"], ["--print_config"]])
def test_options_that_do_not_go_with_stages(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "paper/lstm_cnn_referit.yaml", *option]) == 2
    assert "find their own checkpoints" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["enable_checkpointing=false", "fast_dev_run=2"])
def test_a_stage_without_a_checkpoint_is_refused_before_it_is_trained(
    option: str, tmp_path: Path, shapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, "--output", str(tmp_path / "run"), f"--trainer.{option}"]) == 2
    shown = capsys.readouterr()
    assert f"got trainer.{option.replace('=', ' ')}; leave it out" in shown.err
    assert not [*tmp_path.rglob("*.ckpt")]


def test_starting_over_is_left_to_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, "--output", str(tmp_path), "--overwrite"]) == 2
    assert f"remove {tmp_path}, or choose another --output" in capsys.readouterr().err


def test_stages_are_trained_once_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path, "fit"):
        assert main([*FIT, "--output", str(tmp_path)]) == 2
    assert "in which works `refseg fit`, process" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_stage_that_is_stopped_in_its_evaluation_has_its_steps(
    tmp_path: Path, shapes_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on with the evaluation, and says so with the very words that it was called with."""
    words = [*FIT, f"--output={tmp_path / 'a folder'}"]
    evaluate, step = ReferringSegmentation.validation_step, ReferringSegmentation.training_step
    steps: list[int] = []

    def interrupt(self: ReferringSegmentation, *_: object) -> object:
        raise KeyboardInterrupt

    def count(self: ReferringSegmentation, batch: object, batch_index: int) -> object:
        steps.append(self.global_step)
        return step(self, batch, batch_index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReferringSegmentation, "training_step", count)
        patch.setattr(ReferringSegmentation, "validation_step", interrupt)
        assert main(words) == 130
        shown = capsys.readouterr().out
        assert shlex.join(["refseg", *words]) in shown.splitlines()[-1]
        assert steps == [0, 1]
        patch.setattr(ReferringSegmentation, "validation_step", evaluate)
        assert main(words) == 0
    assert steps == [0, 1] * 3
    assert json.loads((tmp_path / "a folder" / "region" / "metrics.json").read_text())["steps"] == 2


def test_a_failed_stage_stops_the_rest(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def fit(words: list[str], again: str) -> int:
        calls.append(words)
        return 2

    words = ["--config=x.yaml", "--data.root=R", "--output", str(tmp_path)]
    assert run_stages(["x_a.yaml", "x_b.yaml"], words, fit) == 2
    assert calls == [["--config", "x_a.yaml", "--output", str(tmp_path / "a"), "--data.root=R"]]
