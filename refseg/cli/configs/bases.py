"""Configs that are made of others: the files that they name, and the bases that they change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from refseg.cli.configs.files import find_config
from refseg.errors import ConfigError

YAML = (".yaml", ".yml")


def with_bases(
    content: dict[str, Any], folder: Path, above: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """The options of a config on top of those of its bases, all files that they name found.

    `base: [A.yaml, B.yaml]` stands for all options of A, changed by those of B; the config's own
    options change both. Options within options are changed one by one, but for those of a class
    that gives way to another class.

    Args:
        content: of the config.
        folder: where it lies.
        above: the configs whose bases are being read.

    Raises:
        ConfigError: a base is nowhere, or is its own base.
    """
    bases = content.get("base", [])
    merged: dict[str, Any] = {}
    for name in [bases] if isinstance(bases, str) else bases:
        path = Path(str(locate(name, folder)))
        if path in above:
            raise ConfigError(f"The config {path} is its own base; take it out of its `base`.")
        merged = _changed(merged, with_bases(read_yaml(path), path.parent, (*above, path)))
    own = {key: value for key, value in content.items() if key != "base"}
    located = locate(own, folder)
    assert isinstance(located, dict)
    return _changed(merged, located)


def _changed(options: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = dict(options)
    for key, value in changes.items():
        before = result.get(key)
        if isinstance(value, dict) and isinstance(before, str) and before.endswith(YAML):
            before = with_bases(read_yaml(Path(before)), Path(before).parent)
        if isinstance(value, dict) and isinstance(before, dict):
            is_other = "class_path" in value and value["class_path"] != before.get("class_path")
            result[key] = value if is_other else _changed(before, value)
        else:
            result[key] = value
    return result


def named_files(value: object) -> Iterator[str]:
    """The config files that options name, wherever they stand."""
    if isinstance(value, str) and value.endswith(YAML):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from named_files(item)


def locate(value: object, folder: Path) -> object:
    """Options with the paths of the config files that they name, beside them or in the package.

    Raises:
        ConfigError: a file is in neither place.
    """
    if isinstance(value, dict):
        return {key: locate(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [locate(item, folder) for item in value]
    if isinstance(value, str) and value.endswith(YAML):
        beside = folder / value
        return str(beside.absolute() if beside.is_file() else find_config(value))
    return value


def read_yaml(path: Path) -> dict[str, object]:
    """The options in a config; the parser would not say in which file a mistake is.

    Raises:
        ConfigError: it is not YAML, or holds no options.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"The config {path} is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"The config {path} holds no options of the form `name: value`.")
    return content
