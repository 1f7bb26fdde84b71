"""Where configs are found, and that all of them run."""

from pathlib import Path

import pytest
import yaml

from refseg.cli.configs.files import PACKAGE_CONFIGS, find_config
from refseg.errors import ConfigError


def test_the_working_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("rmi.yaml") == PACKAGE_CONFIGS / "rmi.yaml"
    (tmp_path / "rmi.yaml").write_text("{}")
    assert find_config("rmi.yaml") == tmp_path / "rmi.yaml"


def test_a_missing_config_is_named_with_the_places_and_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"No config nope\.yaml in .* or in .*rmi\.yaml"):
        find_config("data/nope.yaml")
    with pytest.raises(ConfigError, match=r"No config .*nope\.yaml"):
        find_config(tmp_path / "nope.yaml")


def test_the_two_systems_differ_in_the_fusion_line_only() -> None:
    rmi, lstm_cnn = (
        [line for line in (PACKAGE_CONFIGS / name).read_text().splitlines() if line[:1] != "#"]
        for name in ("rmi.yaml", "lstm_cnn.yaml")
    )
    different = [(a, b) for a, b in zip(rmi, lstm_cnn, strict=True) if a != b]
    assert [(a.strip(), b.strip()) for a, b in different] == [
        ("fusion: fusion/mlstm.yaml", "fusion: fusion/concat.yaml")
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE_CONFIGS.rglob("*.yaml")), ids=lambda p: p.name)
def test_every_config_is_yaml_and_says_what_it_is_for(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)
