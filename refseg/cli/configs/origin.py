"""What decides how a command trains, beside its words."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from refseg.cli.configs.bases import YAML, named_files, read_yaml
from refseg.cli.configs.files import find_config
from refseg.errors import ConfigError


def origin(words: Sequence[str]) -> str:
    """The version of refseg, and a digest of all config files that a command names.

    Files that are named in files count, too. A training that was stopped is the same training only
    where none of it has changed.

    Args:
        words: of the command.
    """
    digest = hashlib.sha256()
    named = [word.rpartition("=")[2] for word in words]
    waiting = [_found(name) for name in named if name.endswith(YAML)]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop(0)
        if path is None or path in seen:
            continue
        seen.add(path)
        digest.update(path.read_bytes())
        try:
            inner = sorted(named_files(read_yaml(path)))
        except ConfigError:
            continue  # which the command will say
        for name in inner:
            beside = path.parent / name
            waiting.append(beside if beside.is_file() else _found(name))
    return f"{version('refseg')} {digest.hexdigest()[:16]}"


def _found(name: str) -> Path | None:
    try:
        return find_config(name)
    except ConfigError:
        return None
