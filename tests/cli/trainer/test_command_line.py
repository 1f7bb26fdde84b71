"""What becomes of the words of a command line."""

from pathlib import Path

import pytest
import yaml

from refseg.__main__ import main
from refseg.cli.configs.files import PACKAGE_CONFIGS
from refseg.cli.trainer.command_line import in_order, resolve_configs, value_of, with_nested_files
from refseg.errors import ConfigError


def test_configs_are_found_however_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--config", "rmi.yaml", "--model.fusion=fusion/concat.yaml", "--data.root", "x.y"]
    assert resolve_configs(words) == [
        "--config",
        str(PACKAGE_CONFIGS / "rmi.yaml"),
        f"--model.fusion={PACKAGE_CONFIGS / 'fusion' / 'concat.yaml'}",
        "--data.root",
        "x.y",
    ]


def test_ones_own_copy_finds_the_packages_files(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text((PACKAGE_CONFIGS / "rmi.yaml").read_text())
    (tmp_path / "fusion").mkdir()
    (tmp_path / "fusion" / "mlstm.yaml").write_text("class_path: MultimodalLSTM")
    found = with_nested_files(copy)
    assert found.name == "mine.yaml"
    content = yaml.safe_load(found.read_text())
    assert content["trainer"] == str(PACKAGE_CONFIGS / "trainer" / "default.yaml")
    assert content["model"]["fusion"] == str(tmp_path / "fusion" / "mlstm.yaml")


def test_a_nested_file_that_is_nowhere_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text("trainer: trainer/nope.yaml")
    with pytest.raises(ConfigError, match=r"No config nope\.yaml"):
        with_nested_files(copy)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--seed=1 --config a.yaml", "--config a.yaml --seed=1"),
        ("-ca --x 1 -c=b --x=2 -c c", "--config a --config b --config c --x 1 --x=2"),
        ("--d.size -1 --d a.yaml", "--d a.yaml --d.size -1"),
        ("--d.s.x=1 --d.y 2 --dd=3 --d=a.yaml", "--d=a.yaml --d.s.x=1 --d.y 2 --dd=3"),
        ("--m.f.init_args.n 1 --m.f.class_path A", "--m.f.class_path A --m.f.init_args.n 1"),
        ("--t.c+=A --t.c.n 1 --t.c+=B --t.c.n 2", "--t.c+=A --t.c.n 1 --t.c+=B --t.c.n 2"),
        ("--t.c+=A --t.c.n 1 --t=a.yaml --t.c=[B]", "--t=a.yaml --t.c=[B] --t.c+=A --t.c.n 1"),
        ("--crf --crf_options.w=2 --crf false", "--crf --crf_options.w=2 --crf false"),
        ("--print_config --config a.yaml", "--config a.yaml --print_config"),
        ("--checkpoint a.ckpt --x=1", "--ckpt_path a.ckpt --x=1"),
        ("--checkpoint=a.ckpt --checkpoints", "--ckpt_path=a.ckpt --checkpoints"),
    ],
)
def test_an_option_follows_the_files_that_it_changes(words: str, expected: str) -> None:
    assert in_order(words.split()) == expected.split()
    assert in_order(expected.split()) == expected.split()


@pytest.mark.parametrize("part", ["--data.image_size=48", "--data.shapes.level=3"])
@pytest.mark.parametrize("file", ["data/shapes.yaml", "{shapes: {level: 2}, image_size: 64}"])
def test_an_option_is_never_lost(
    part: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither to a config behind it nor to a file for a part of the config."""
    words = [part, "--trainer.max_epochs=3", "--data", file, "--model.fusion.hidden_dim=7"]
    words += ["-c", "rmi.yaml", "--model.fusion", "fusion/concat.yaml", "--print_config"]
    with pytest.raises(SystemExit):
        main(["fit", *words])
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["trainer"]["max_epochs"] == 3
    assert config["model"]["fusion"]["class_path"].endswith("ConcatFusion")
    assert config["model"]["fusion"]["init_args"]["hidden_dim"] == 7
    expected = {"image_size": 64, "level": 1 if file.endswith("yaml") else 2}
    expected[part.partition("=")[0].rpartition(".")[2]] = int(part.partition("=")[2])
    assert config["data"]["image_size"] == expected["image_size"]
    assert config["data"]["shapes"]["level"] == expected["level"]


def test_the_last_value_of_an_option_counts() -> None:
    words = ["--a", "1", "--b=2", "--a=3", "--ab", "4"]
    assert value_of("--a", words) == "3"
    assert value_of("--b", words) == "2"
    assert value_of("--c", words) is None
