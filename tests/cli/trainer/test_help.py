"""The first screen of help of the trainer's verbs: short, fast, and true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from refseg.__main__ import main
from refseg.cli import TRAINER_VERBS
from refseg.cli.trainer.help import asked_for, first_screen


@pytest.mark.parametrize("verb", TRAINER_VERBS)
def test_it_is_one_screen(verb: str) -> None:
    lines = first_screen(verb).splitlines()
    assert lines[0].startswith(f"usage: refseg {verb} ")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("verb", TRAINER_VERBS)
def test_it_imports_no_torch(verb: str) -> None:
    code = (
        "import sys; from refseg.__main__ import main\n"
        f"assert main(['{verb}', '--config', 'rmi.yaml', '--help']) == 0\n"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules), 'slow'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(first_screen(verb))


VALUES = {
    "--config": "rmi.yaml",
    "--output": "here",
    "--checkpoint": None,
    "--seed_everything": "7",
    "--data": "data/refer.yaml",
    "--data.root": "there",
    "--data.dataset": "refcoco+",
    "--data.batch_size": "3",
    "--data.num_workers": "2",
    "--data.test_splits": "[val,testA]",
    "--model.fusion": "fusion/concat.yaml",
    "--model.optimizer.lr": "0.5",
    "--trainer.max_epochs": "9",
    "--trainer.accelerator": "cpu",
    "--trainer.devices": "2",
    "--trainer.precision": "bf16-mixed",
    "--evaluation.protocol": "all",
    "--crf": "true",
    "--save_masks": "true",
    "--words": "true",
    "--import": "json",
}


@pytest.mark.parametrize("verb", TRAINER_VERBS)
def test_every_option_is_one(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each stands in the config that comes of it, with its value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("refseg.checkpoint.packages._named", set())  # of this process, ever after
    names = re.findall(r"^  (--[\w.]+)", first_screen(verb), re.MULTILINE)
    assert names.pop() == "--help"
    words = [verb]
    for name in dict.fromkeys(["--config", *names]):
        value = VALUES[name]
        words += [] if value is None else [f"{name}={value}"]
    with pytest.raises(SystemExit):
        main([*words, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    for name in names:
        if name in {"--config", "--checkpoint", "--data", "--model.fusion"}:
            continue
        found = config
        for part in name.removeprefix("--").split("."):
            found = found.get(part, found.get("init_args", {}).get(part))
        found = found[0] if name == "--import" else found
        expected = VALUES[name]
        assert found in (expected, yaml.safe_load(str(expected))), name
    if verb == "fit":
        assert config["model"]["fusion"]["class_path"].endswith("ConcatFusion")
        assert config["data"]["split_by"] == "unc"


def test_who_asks_for_help() -> None:
    assert asked_for(["--help=all"]) == "all"
    assert asked_for(["--config", "a.yaml", "--help", "all"]) == "all"
    assert asked_for(["-h", "--config", "all"]) == "first"
    assert asked_for(["--model.fusion.help=MultimodalLSTM"]) is None
