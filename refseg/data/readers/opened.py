"""Which files a reader opens and which folders it lists, as Python itself tells.

Readers need not declare what they read, so none can forget to.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

_LIBRARY_SUFFIXES = (".py", ".pyc", ".pyd", ".so")
_NOT_DATA = tuple(
    f"{Path(folder).resolve()}{os.sep}"
    for folder in (sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/etc")
)


@dataclass
class Opened:
    """What was opened or listed while it was watched.

    Args:
        files: that were opened for reading, or were looked for in vain.
        folders: whose names were listed.
    """

    files: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


_watchers: list[Opened] = []
_installing = Lock()
_is_installed = False


@contextmanager
def watching(root: Path) -> Iterator[Opened]:
    """Collect the files that this process opens for reading, by whatever Python code.

    Python reports each of them to its audit hooks. What a library opens in its own C++ code
    (pyarrow a parquet file, OpenCV a picture) is not reported. Libraries' own files are left out.

    Args:
        root: what lies in here counts as data, even inside of a Python installation.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     _ = (Path(name) / "one.txt").write_text("1")
        ...     with watching(Path(name)) as opened:
        ...         text = (Path(name) / "one.txt").read_text()
        >>> [path.name for path in opened.files]
        ['one.txt']
    """
    _install()
    heard = Opened()
    _watchers.append(heard)
    try:
        yield heard
    finally:
        _watchers[:] = [watcher for watcher in _watchers if watcher is not heard]
    inside = tuple(f"{folder}{os.sep}" for folder in (root.absolute(), root.resolve()))
    for paths in (heard.files, heard.folders):
        paths.intersection_update({path for path in paths if _is_data(str(path), inside)})


def looked_for(path: Path) -> bool:
    """Whether there is such a file or folder; its coming or going makes a cached table stale.

    For readers that choose by what is there. Within the data set's own folder nothing needs this,
    nor does a file that is then opened.
    """
    for watcher in _watchers:
        watcher.files.add(path.absolute())
    return path.exists()


def _install() -> None:
    global _is_installed
    with _installing:
        if not _is_installed:  # a hook cannot be removed again, so there is only one
            sys.addaudithook(_hear)
            _is_installed = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watchers or event not in {"open", "os.listdir", "os.scandir"}:
        return
    place = arguments[0]
    if not isinstance(place, str | bytes | os.PathLike):
        return
    if event == "open" and _is_writing(arguments[1], arguments[2]):
        return
    path = Path(os.fsdecode(place)).absolute()
    for watcher in tuple(_watchers):
        (watcher.files if event == "open" else watcher.folders).add(path)


def _is_writing(mode: str | None, flags: int) -> bool:
    if mode is not None:
        return not {"w", "a", "x"}.isdisjoint(mode)
    return bool(flags & (os.O_WRONLY | os.O_CREAT))


def _is_data(path: str, inside: tuple[str, ...]) -> bool:
    if path.startswith(inside):
        return True
    return not path.endswith(_LIBRARY_SUFFIXES) and not path.startswith(_NOT_DATA)
