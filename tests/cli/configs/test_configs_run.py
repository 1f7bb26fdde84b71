"""Every config that comes with the package runs for a step."""

import json
from pathlib import Path

import pytest
import yaml

from refseg.__main__ import main
from refseg.cli.configs.files import PACKAGE_CONFIGS
from refseg.sweeps import plan, read_sweep

from ...conftest import TINY, TINY_DATA
from .modern.system import write_tokenizer

STEP = "--trainer.fast_dev_run=true"
SHORT = ["--trainer.max_steps=1", "--trainer.limit_val_batches=1"]


def names(folder: str) -> list[str]:
    """The configs of a folder, as a user names them."""
    return sorted(f"{folder}/{path.name}" for path in (PACKAGE_CONFIGS / folder).glob("*.yaml"))


def test_no_folder_of_configs_is_forgotten() -> None:
    parts = {"backbone", "decoder", "fusion", "text_encoder"}
    known = {*parts, "compared", "data", "logger", "modern", "paper", "photos", "sweeps", "trainer"}
    assert {path.name for path in PACKAGE_CONFIGS.iterdir() if path.is_dir()} == known
    assert sorted(path.name for path in PACKAGE_CONFIGS.glob("*.yaml")) == [
        "clipseg.yaml",  # runs in training/test_clipseg.py
        "comparison.yaml",
        "lstm_cnn.yaml",
        "photos.yaml",
        "rmi.yaml",
    ]


@pytest.mark.parametrize("config", ["rmi.yaml", "lstm_cnn.yaml"])
def test_systems(config: str, tmp_path: Path) -> None:
    assert main(["fit", "--config", config, *TINY, STEP, "--output", str(tmp_path)]) == 0


@pytest.mark.parametrize("option", ["decoder", "fusion", "logger", "trainer"])
def test_parts(option: str, tmp_path: Path) -> None:
    for name in names(option):
        where = f"model.{option}" if option in {"decoder", "fusion"} else f"trainer.{option}"
        where = "trainer" if option == "trainer" else where
        words = ["fit", "--config", "rmi.yaml", f"--{where}={name}", *TINY, STEP]
        assert main([*words, "--output", str(tmp_path)]) == 0


@pytest.mark.parametrize("name", names("backbone"))
def test_backbones(name: str, tmp_path: Path) -> None:
    words = ["fit", "--config", "rmi.yaml", f"--model.backbone={name}", *TINY_DATA, STEP]
    if "transformers" in name:
        from transformers import SwinConfig, SwinModel

        config = SwinConfig(
            image_size=32, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=2
        )
        SwinModel(config).save_pretrained(tmp_path / "swin")
        words.append(f"--model.backbone.name={tmp_path / 'swin'}")
    elif "small" not in name:
        words.append("--model.backbone.weights=null")
    assert main([*words, "--output", str(tmp_path / "run")]) == 0


def test_text_encoders(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 16, "intermediate_size": 16, "max_position_embeddings": 24}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    folder = write_tokenizer(tmp_path / "bert", vocab_size=60)
    BertModel(BertConfig(vocab_size=60, **sizes, **layers)).save_pretrained(folder)
    for name in names("text_encoder"):
        words = ["fit", "--config", "rmi.yaml", f"--model.text_encoder={name}", *TINY, STEP]
        if "transformers" in name:
            # as the config says, and with a folder for the hub's name
            words += [f"--model.text_encoder.name={folder}", "--data.tokenizer"]
            words += ["TransformersTokenizer", f"--data.tokenizer.name={folder}"]
        assert main([*words, "--output", str(tmp_path / "run")]) == 0


def test_data(shapes_root: Path, tmp_path: Path) -> None:
    # The mixture of data/mixed.yaml runs in test_mixtures.py.
    # One's own folder of data/folder.yaml is read in data/readers/test_folder.py.
    assert names("data") == [f"data/{name}.yaml" for name in ("folder", "mixed", "refer", "shapes")]
    folder = [f"--data.root={shapes_root}", "--data.dataset=shapes", "--data.split_by=shapes"]
    words = ["fit", "--config", "rmi.yaml", "--data", "data/refer.yaml", *folder, *TINY[2:], STEP]
    assert main([*words, "--output", str(tmp_path)]) == 0


@pytest.mark.parametrize("name", names("compared"))
def test_compared_fusions_are_of_about_one_size(name: str, tmp_path: Path) -> None:
    """Early ones work in the widths of the backbone, and have up to 190,000 parameters more."""
    words = ["--config", "comparison.yaml", "--config", name, *TINY_DATA, *SHORT]
    without = "--model.backbone.weights=null"
    assert main(["fit", *words, without, "--output", str(tmp_path)]) == 0
    parameters = json.loads((tmp_path / "metrics.json").read_text())["parameters"]
    early = name in {"compared/lavt_like.yaml", "compared/rela_like.yaml"}
    assert 1_030_000 < parameters < (1_240_000 if early else 1_090_000)


def test_the_comparison_wants_its_backbone_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--config", "comparison.yaml", "--config", "compared/concat.yaml", *TINY_DATA]
    assert main(["fit", *words]) == 2
    assert "runs/backbone/checkpoints/best.ckpt" in capsys.readouterr().err


def test_sweeps(tmp_path: Path) -> None:
    fusions = names("compared")
    for name, base, runs in (
        ("fusion", "comparison.yaml", 3 * len(fusions)),  # seeds
        ("photos", "photos/recipe.yaml", len(fusions) + 1),
    ):
        sweep = read_sweep(PACKAGE_CONFIGS / "sweeps" / f"{name}.yaml")
        own = {"photos/pyramid.yaml"} if name == "photos" else set()
        assert {*sweep.parameters["config"]} == {*fusions} | own
        planned = plan(sweep, tmp_path, overrides=())
        assert len(planned) == runs
        assert base in yaml.safe_dump([list(run.command) for run in planned])


def test_tuning(tmp_path: Path) -> None:
    sweep = read_sweep(PACKAGE_CONFIGS / "sweeps" / "tuning.yaml")
    assert sweep.stopping is not None
    assert sweep.stopping.brackets[:2] == (2, 4)  # of the six validations
    run = plan(sweep, tmp_path, [*TINY, STEP])[0]
    words = [*run.command[1:], *run.more, "--output", str(tmp_path / "run")]
    assert main(words) == 0


def test_readme_and_site_name_what_there_is() -> None:
    top = Path(__file__).parents[3]
    for page in (top / "README.md", *sorted((top / "docs").glob("*.md"))):
        for word in page.read_text().replace("`", " ").replace("(", " ").split():
            name = word.strip('.,:;)"')
            if name.endswith(".yaml") and not name.startswith(("RUN", "configs/", "config.")):
                assert (PACKAGE_CONFIGS / name).is_file(), f"{page.name}: {name}"
            if name.startswith("configs/") and name.endswith(".yaml"):
                assert (PACKAGE_CONFIGS.parent / name).is_file(), f"{page.name}: {name}"
