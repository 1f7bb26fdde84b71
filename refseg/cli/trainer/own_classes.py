"""The packages of the working directory whose classes a command line names, in its configs too."""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from refseg.cli.configs.bases import YAML, read_yaml
from refseg.cli.configs.files import find_config
from refseg.errors import ConfigError

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def packages_here(words: Sequence[str]) -> dict[str, str]:
    """The packages in the working directory that the classes of options and configs are of.

    Whoever writes `class_path: mypackage.MyFusion` means it, and an installed command does not look
    into the working directory of its own accord. Installed packages need nothing of the kind.

    Args:
        words: after the verb.

    Returns:
        Name of a package -> where it is named.
    """
    found: dict[str, str] = {}
    for path, source in _class_paths(words):
        package = path.partition(".")[0]
        if package not in found and _is_here(package):
            found[package] = source
    return found


def _is_here(package: str) -> bool:
    here = Path.cwd()
    if not ((here / package).is_dir() or (here / f"{package}.py").is_file()):
        return False
    elsewhere = [place for place in sys.path if place and Path(place).resolve() != here]
    return PathFinder.find_spec(package, elsewhere) is None


def _class_paths(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The paths of classes that options name, and where; other texts with dots among them."""
    for word in words:
        value = word.partition("=")[2] if word.startswith("-") else word
        if value.endswith(YAML):
            yield from _in_file(find_config(value), set())
        elif _CLASS.fullmatch(value):
            yield value, "the command line"


def _in_file(path: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """The paths of classes in a config and in the files that it names."""
    if path in seen:
        return
    seen.add(path)
    for text in _texts(read_yaml(path)):
        if _CLASS.fullmatch(text) and not text.endswith(YAML):
            yield text, str(path)
        elif text.endswith(YAML):
            beside = path.parent / text
            try:
                named = beside.absolute() if beside.is_file() else find_config(text)
            except ConfigError:  # it is said where the file is wanted
                continue
            yield from _in_file(named, seen)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
