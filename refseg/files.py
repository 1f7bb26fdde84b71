"""Writing files so that nobody ever reads half of one, and where generated ones are kept."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import platformdirs
from filelock import FileLock, Timeout

_HOME = re.compile(r"~(?:$|/|[\w.-]+/)")  # and that of another user


def as_path(path: Path | str) -> Path:
    """A path as users write it: `~` is their home folder, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # that of Path raises for unknown users


_Text = TypeVar("_Text", bound=str | Path)


def with_home(value: _Text) -> _Text:
    """A text or path with the user's home folder in place of the `~` at its beginning.

    A shell does so for words that begin with it, and neither in `--data.root=~/data` nor in a file.

    Args:
        value: a text or a path, of which others than those that begin with `~/` stay as they are.

    Example:
        >>> with_home("~/data") == str(Path.home() / "data"), with_home("a ~ b")
        (True, 'a ~ b')
    """
    text = str(value)
    return type(value)(os.path.expanduser(text)) if _HOME.match(text) else value  # noqa: PTH111


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on success it is renamed to `path`.

    Folders above `path` are made. On failure nothing is left behind, and an existing file stays.

    Args:
        path: the file to write. The temporary path has the same ending.
        durable: wait until the disk has it, so that a power cut leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
    except OSError as error:
        error.filename = str(path)  # which the user knows of
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush(path.parent)  # its entries, in which the new name stands
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; on success it gets that name, else nothing is left.

    Args:
        path: of a folder that does not exist, or is empty; folders above it are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # that of mkdtemp is for its owner alone
        temporary.replace(path)  # an empty folder may stand there
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of `path` that were killed have left beside it.

    Args:
        path: a file that nobody else writes at this time.
    """
    if not path.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(path.stem)}-[a-z0-9_]{{8}}{re.escape(path.suffix)}")
    for other in path.parent.iterdir():
        if name.fullmatch(other.name):
            other.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a lock file.

    Args:
        path: of the lock file; it need not exist.
    """
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # nobody can tell
        return False


def cache_folder() -> Path:
    """Where what can be made again is kept: `REFSEG_CACHE`, else the user's cache folder."""
    return as_path(os.environ.get("REFSEG_CACHE") or platformdirs.user_cache_dir("refseg"))
