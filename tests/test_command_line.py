"""What becomes of the words of a command line."""

from pathlib import Path

import pytest
import yaml

from refseg.command_line import resolve_configs, value_of, with_nested_files
from refseg.config_files import PACKAGE_CONFIGS
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


def test_the_last_value_of_an_option_counts() -> None:
    words = ["--a", "1", "--b=2", "--a=3", "--ab", "4"]
    assert value_of("--a", words) == "3"
    assert value_of("--b", words) == "2"
    assert value_of("--c", words) is None
