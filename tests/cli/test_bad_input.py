"""What a user gets wrong ends in one short message and exit code 2."""

import shutil
from pathlib import Path

import pytest
import torch

from refseg.__main__ import main

from ..conftest import TINY

FIT = ["fit", "--config", "rmi.yaml"]


def complain(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a call that must fail."""
    assert main(words) == 2
    message = capsys.readouterr().err.lstrip()
    assert message.startswith("refseg: error: ")
    assert "Traceback" not in message
    assert len(message) < 700
    return message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["frobnicate"], "Unknown verb 'frobnicate'; choose one of fit, validate"),
        (["segmnt", "x"], "Unknown verb 'segmnt'. Did you mean segment?"),
        (["data", "lst"], "Unknown verb 'lst' of `refseg data`. Did you mean list?"),
        (["fit"], "name a config, as in `--config rmi.yaml`"),
        (["fit", "--config", "nope.yaml"], "No config nope.yaml in"),
        ([*FIT, "--data.dataset=refcoco"], "needs a folder: give it with --data.root"),
        ([*FIT, "--data.root=/no/where", "--data.dataset=refcoco"], "/no/where is absent"),
        ([*FIT, *TINY, "--data.val_splits=[testZ]"], "Unknown split 'testZ' of shapes (shapes); "),
        ([*FIT, "--model.fusion=Nope"], "known are ConcatFusion, CrossAttention"),
        ([*FIT, "--model.fusion.hidden_dimm=3"], "Did you mean hidden_dim?"),
        ([*FIT, "--data.batch_size=many"], "data.batch_size to be a whole number, got many."),
        ([*FIT, "--trainer.max_epochs=x"], "max_epochs to be a whole number or null, got x."),
        (
            [*FIT, "--data.expressions_per_image=x"],
            "to be a whole number, all or one_per_reference, got x.",
        ),
        ([*FIT, "--data.val_splits=3"], "data.val_splits to be a list, got 3."),
        ([*FIT, "--model.optimizer=Nope"], "Unknown class 'Nope' for model.optimizer; name it"),
        ([*FIT, *TINY, "--trainer.devices=-7"], "Lightning refuses an option: `devices`"),
        ([*FIT, *TINY, "--trainer.accelerator=x"], "invalid accelerator name: `accelerator='x'`"),
        ([*FIT, *TINY, "--trainer.max_epochs=-5"], "a non-negative integer or -1. You passed in"),
        ([*FIT, *TINY, "--trainer.accumulate_grad_batches=0"], "batches of at least 1, got 0."),
        ([*FIT, *TINY, "--model.optimizer.lr=-1"], "optimizer refuses an option: Invalid learning"),
        (
            ["test", "--config", "rmi.yaml", "--evaluation.protocol=x"],
            "to be standard, rmi, text_objseg, lavt, cris, rela, mmdet",
        ),
        ([*FIT, "--nonsense=3"], "Unknown option --nonsense. `--help all` lists all options"),
        ([*FIT, "--data.batch_sie", "4"], "--data.batch_sie. Did you mean --data.batch_size?"),
        ([*FIT, "--batch_size=4"], "Did you mean --data.batch_size?"),
        ([*FIT, "--chekpoint=last"], "Did you mean --checkpoint?"),
        ([*FIT, "--model.optimizer.lrr=1"], "Did you mean lr?"),
        ([*FIT, "more"], "Unknown word more."),
        (["test", "--ckpt_path=/no/where.ckpt"], "found none at /no/where.ckpt"),
    ],
)
def test_options(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in complain(words, capsys)
    assert not [*tmp_path.iterdir()], "nothing is left of what was refused"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: [unclosed", "is not valid YAML"),
        ("just words", "holds no options"),
        ("model: {fusion: {class_path: refseg.models.fusion.Nope}}", "known are ConcatFusion"),
        ("model: {fusion: {class_path: ConcatFusion, init_args: {nope: 1}}}", "'nope'"),
        ("modell: 3", "Unknown option modell in a config. Did you mean model?"),
        ("data: {batch_sie: 3}", "data.batch_sie in a config. Did you mean data.batch_size?"),
        (
            "data: {augmentation: {flop: 1}}",
            "Of data.augmentation: There is no option 'flop'",
        ),
        ("model: {fusion: {class_path: ConcatFusion, init_args: {x: 1}}}", "Known are hidden_dim"),
        ("trainer: {max_step: 3}", "Did you mean trainer.max_steps?"),
    ],
)
def test_configs(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert expected in complain([*FIT, "--config", str(path)], capsys)


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_are_missing_or_broken(
    workers: int, shapes_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(shapes_root, root)
    images = sorted((root / "images" / "shapes").iterdir())
    words = [*FIT, *TINY, f"--data.root={root}", f"--data.num_workers={workers}"]
    for image in images:
        image.write_bytes(image.read_bytes()[:200])
    message = complain([*words, "--output", str(tmp_path / "a")], capsys)
    assert "Cannot read the image" in message
    assert "ref_id" in message
    for image in images:
        image.unlink()
    message = complain([*words, "--output", str(tmp_path / "b")], capsys)
    assert "is absent" in message
    assert "ref_id" in message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("", "has no word"), ("?!", "has no word"), ("qwertz uiopü", "in the vocabulary")],
)
def test_expressions(
    expression: str, expected: str, run: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(photo), expression, "--checkpoint", checkpoint]
    assert expected in complain(words, capsys)


def test_photos(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = ["segment", str(tmp_path / "no.jpg"), "red star", "--checkpoint", checkpoint]
    assert "no.jpg is absent" in complain(words, capsys)
    (tmp_path / "text.jpg").write_text("no picture")
    words[1] = str(tmp_path / "text.jpg")
    message = complain(words, capsys)
    assert "Cannot read the image" in message
    assert "BytesIO" not in message


def test_a_checkpoint_of_something_else(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.ckpt"
    other.write_bytes(photo.read_bytes())
    for words in (
        ["segment", str(photo), "red star", "--checkpoint", str(other)],
        ["test", "--ckpt_path", str(other)],
        [*FIT, *TINY, "--ckpt_path", str(other), "--output", str(tmp_path)],
    ):
        assert "other.ckpt" in complain(words, capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["test", "--config", "lstm_cnn.yaml"], "a MultimodalLSTM there and a ConcatFusion here"),
        (["fit", "--config", "lstm_cnn.yaml"], "a MultimodalLSTM there and a ConcatFusion here"),
        ([*FIT, *TINY, "--model.fusion.hidden_dim=7"], "fusion.hidden_dim is 32 there and 7 here"),
        (["test", "--model.backbone.stride=8"], "backbone.stride is 4 there and 8 here"),
    ],
)
def test_a_checkpoint_of_another_model(
    words: list[str], expected: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*words, f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}", f"--output={tmp_path}"]
    message = complain(words, capsys)
    assert "is of another model than this one" in message
    assert expected in message


def test_a_training_does_not_go_on_with_other_words(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FIT, *TINY, "--data.tokenizer=WordTokenizer", "--data.tokenizer.min_count=4"]
    words += [f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}", f"--output={tmp_path}"]
    assert "goes on with its own words and sizes of images" in complain(words, capsys)


def test_a_network_that_answers_no_numbers(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a single one of its masks would count, and nobody would know why."""
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["state_dict"]["segmenter.decoder.classifier.bias"].fill_(torch.nan)
    broken, output = str(tmp_path / "broken.ckpt"), str(tmp_path / "run")
    torch.save(content, broken)
    for words in (
        ["test", "--ckpt_path", broken, "--output", output],
        ["predict", "--ckpt_path", broken, "--output", output],
        ["segment", str(photo), "red star", "--checkpoint", broken],
        ["segment", str(photo), "red star", "--checkpoint", broken, "--words"],
    ):
        message = complain(words, capsys)
        assert "Expected numbers from the network, got nan for " in message
        assert (".jpg [" in message) == ("--ckpt_path" in words)
    assert not [path for path in Path(output).rglob("*") if "results" in path.name]


def test_help_never_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main([]) == 2
    assert "refseg fit --config rmi.yaml" in capsys.readouterr().out
    for verb in ("fit", "validate", "test", "predict"):
        assert main([verb, "--help"]) == 0
        first = capsys.readouterr().out
        assert f"refseg {verb} --" in first
        with pytest.raises(SystemExit) as exit_:
            main([verb, "--help", "all"])
        assert exit_.value.code == 0
        every = capsys.readouterr().out
        assert every.startswith(first)
        assert "--trainer.max_steps MAX_STEPS" in every


@pytest.mark.filterwarnings("ignore:Total length of `list`")
@pytest.mark.parametrize(
    ("verb", "option", "expected"),
    [
        ("test", "--trainer.limit_test_batches=0", "Expected something to evaluate"),
        ("validate", "--trainer.limit_val_batches=0", "Expected something to evaluate"),
        ("test", "--data.test_splits=[]", "Expected something to evaluate"),
        ("test", "--trainer.limit_test_batches=0.0001", "Try at least `limit_test_batches="),
        ("test", "--trainer.limit_test_batches=-1", "it has to be in [0.0, 1.0] or an int"),
    ],
)
def test_nothing_to_evaluate(
    verb: str,
    option: str,
    expected: str,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    words = [verb, "--ckpt_path", checkpoint, option, "--output", str(tmp_path)]
    assert expected in complain(words, capsys)
    assert not list(tmp_path.glob("*.*"))
