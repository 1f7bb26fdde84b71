"""Configs on top of others."""

from pathlib import Path

import pytest
import yaml

from refseg.cli.trainer.command_line import with_nested_files
from refseg.errors import ConfigError


def write(folder: Path, **configs: object) -> None:
    for name, content in configs.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))


def resolved(path: Path) -> dict[str, object]:
    return yaml.safe_load(with_nested_files(path).read_text())


def test_the_last_word_is_the_configs_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        first={"seed": 1, "data": {"size": 2, "batch": 3}, "list": [1, 2]},
        second={"data": {"size": 4}, "list": [3]},
        own={"base": ["first.yaml", "second.yaml"], "data": {"batch": 5}},
    )
    expected = {"seed": 1, "data": {"size": 4, "batch": 5}, "list": [3]}
    assert resolved(tmp_path / "own.yaml") == expected


def test_bases_have_bases_and_parts_are_changed_where_they_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        part={"size": 1, "batch": 2},
        first={"data": "part.yaml"},
        second={"base": "first.yaml", "data": {"batch": 3}},
        own={"base": ["second.yaml"], "trainer": "trainer/default.yaml"},
    )
    options = resolved(tmp_path / "own.yaml")
    assert options["data"] == {"size": 1, "batch": 3}
    assert Path(str(options["trainer"])).is_file()


def test_the_options_of_a_class_go_with_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        first={"fusion": {"class_path": "A", "init_args": {"width": 1, "depth": 2}}},
        same={"base": "first.yaml", "fusion": {"class_path": "A", "init_args": {"width": 3}}},
        other={"base": "first.yaml", "fusion": {"class_path": "B", "init_args": {"height": 3}}},
    )
    assert resolved(tmp_path / "same.yaml")["fusion"] == {
        "class_path": "A",
        "init_args": {"width": 3, "depth": 2},
    }
    assert resolved(tmp_path / "other.yaml")["fusion"] == {
        "class_path": "B",
        "init_args": {"height": 3},
    }


def test_faults_are_named(tmp_path: Path) -> None:
    write(tmp_path, own={"base": "absent.yaml"}, circle={"base": "circle.yaml"})
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        resolved(tmp_path / "own.yaml")
    with pytest.raises(ConfigError, match="its own base"):
        resolved(tmp_path / "circle.yaml")
