"""The user's own packages, whose classes checkpoints may name."""

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from refseg.errors import ConfigError

OPTION = "--import"
"""Names a package, on every verb that opens a checkpoint."""

_named: set[str] = set()


def import_packages(names: Iterable[str], named_by: str = OPTION) -> None:
    """Import packages of the user's own, and let checkpoints name their classes from now on.

    They are also looked for in the working directory. What is imported runs: name what you trust.

    Args:
        names: of packages or modules, as in an import statement.
        named_by: where the user names them, for the message.

    Raises:
        ConfigError: there is no such package, or importing it fails.
    """
    here = str(Path.cwd())
    for name in names:
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ImportError("it is no name of a package")
            importlib.import_module(name)
        except Exception as error:  # it is other people's code, and may fail in any way
            raise ConfigError(
                f"Cannot import the package {name!r} of {named_by} ({type(error).__name__}: "
                f"{error}); name one that Python finds, in {here} or among the installed ones."
            ) from error
        _named.add(name)


@contextmanager
def naming(packages: Iterable[str]) -> Iterator[None]:
    """Count packages that are imported already as named, for a while."""
    added = set(packages) - _named
    _named.update(added)
    try:
        yield
    finally:
        _named.difference_update(added)


def named_packages() -> list[str]:
    """The packages that the user has named."""
    return sorted(_named)


def is_own(module: str) -> bool:
    """Whether a module belongs to a package that the user has named."""
    return any(module == name or module.startswith(f"{name}.") for name in _named)
