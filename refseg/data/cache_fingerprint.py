"""The state of everything a cached table was made from, and whether it has changed since."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from refseg.data.relative_paths import head_of, relative_to_root

BULK = frozenset((
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".mat", ".npy", ".npz",
    ".zip", ".tar", ".gz", ".tgz",
))  # fmt: skip
"""Endings of pictures, masks and archives. There are thousands of them, or they are huge: reading
them again costs more than making the table, so that size and time stand for their content."""

FRESH_SECONDS = 2.0
"""A file may change once more within the tick of the clock that its time was taken at."""

_FOLDERS_DEEP = 3  # images/mscoco/images


class FileState(NamedTuple):
    """A file or folder as it was.

    Args:
        size: bytes; 0 of a folder, -1 where there is nothing of that name.
        modified: nanoseconds since the epoch; -1 where that proves nothing, 0 of a folder.
        digest: of the content of a file, or of the names in a folder; empty for `BULK` and for
            what is neither.
    """

    size: int
    modified: int
    digest: str


@dataclass(frozen=True)
class Fingerprint:
    """The state of everything that a table was made from.

    These are all files of the data set's own folder, whoever reads them; the files and folders
    elsewhere that the reader consulted (`References.consulted`); and which folders of images there
    were. Paths are relative to the root where they lie under it, so that the root can be moved.

    Args:
        files: path to state, of folders too.
        layout: a digest of the folders and archives under the root.
        layout_depth: to which depth those count.
        pictures: whether the first image was there.
    """

    files: dict[str, FileState]
    layout: str
    layout_depth: int
    pictures: dict[str, bool]

    @classmethod
    def take(
        cls,
        root: Path,
        dataset: str,
        consulted: Iterable[Path],
        picture: str | None,
        earlier: "Fingerprint",
    ) -> "Fingerprint":
        """The state after a table was made.

        Args:
            root: as given to the reader.
            dataset: as given to the reader.
            consulted: files and folders that it consulted, whether they are there or not.
            picture: the first image of the table, relative to the root if it lies there.
            earlier: what `before` found, for digests that are known already.
        """
        files = dict(earlier.files)
        own = f"{(root / dataset).absolute()}{os.sep}"
        elsewhere = [str(path) for path in consulted if not _lies_in(path, own)]
        for name in relative_to_root(elsewhere, root):
            if name not in files:
                files[name] = _state(root / name)
        present = picture is None or _is_there(root / picture)
        depth = 1 if present else _FOLDERS_DEEP
        pictures = {} if picture is None else {picture: present}
        return cls(files, _layout(root, depth), depth, pictures)

    @classmethod
    def before(cls, root: Path, dataset: str) -> "Fingerprint":
        """The state of the data set's own folder, taken before it is read."""
        files = {name: _state(root / name) for name in _own_files(root, dataset)}
        return cls(files, "", 0, {})

    @classmethod
    def from_record(cls, record: dict[str, object]) -> "Fingerprint":
        """From what `as_record` gave.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is not that.
        """
        fields = {name: record[name] for name in cls.__dataclass_fields__}
        states = {name: FileState(*state) for name, state in dict(fields["files"]).items()}  # type: ignore[call-overload]  # a record that is no mapping raises TypeError
        return cls(**(fields | {"files": states}))  # type: ignore[arg-type]  # checked in use

    def as_record(self) -> dict[str, object]:
        """Plain numbers and texts, for JSON."""
        return asdict(self)

    def key(self) -> str:
        """A digest of the content: without times, and without sizes where the content is known."""
        content = sorted(
            (name, state.digest or f"{state.size} bytes, {state.modified}")
            for name, state in self.files.items()
        )
        return hashlib.sha256(repr((content, self.layout)).encode()).hexdigest()

    def still(self, root: Path, dataset: str) -> "Fingerprint | None":
        """This fingerprint with the present times, or None if anything else has changed.

        Contents are read only where a size or a time differs from the one recorded.
        """
        own = set(_own_files(root, dataset))
        if any(name not in self.files for name in own):
            return None
        files: dict[str, FileState] = {}
        for name, was in self.files.items():
            now = _state_today(root / name, was)
            if now is None:
                return None
            files[name] = now
        if any(_is_there(root / name) != was for name, was in self.pictures.items()):
            return None
        if _layout(root, self.layout_depth) != self.layout:
            return None
        return Fingerprint(files, self.layout, self.layout_depth, self.pictures)


def _lies_in(path: Path, folder: str) -> bool:
    """Whether a path is a folder (given with a separator behind), or lies inside of it."""
    text = f"{path.absolute()}{os.sep}"
    return text.startswith(folder) and f"{os.sep}..{os.sep}" not in text[len(folder) - 1 :]


def _is_there(picture: Path) -> bool:
    """Whether a picture, or the zip file that its path runs through, exists."""
    # Those of Path raise where a name is too long
    return os.path.exists(picture) or any(  # noqa: PTH110
        folder.suffix == ".zip" and os.path.isfile(folder)  # noqa: PTH113
        for folder in picture.parents
    )


def _own_files(root: Path, dataset: str) -> Iterator[str]:
    """All files of a data set's folder, relative to the root; follows links, but not in circles."""
    folders = [str(root / dataset)]
    seen: set[tuple[int, int]] = set()
    while folders:
        folder = folders.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116  # strings: there may be 100,000 files
            if (identity := (status.st_dev, status.st_ino)) in seen:
                continue
            seen.add(identity)
            entries = list(os.scandir(folder))
        except OSError:
            continue
        head = head_of(root)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.path)
            else:
                yield entry.path[len(head) :]


def _state_without_digest(path: Path) -> FileState:
    try:
        status = os.stat(path)  # noqa: PTH116  # a third of the time of Path.stat
    except (OSError, ValueError):  # the latter: no file can have such a name
        return FileState(-1, 0, "")
    if S_ISDIR(status.st_mode):
        return FileState(0, 0, "")
    return FileState(status.st_size, status.st_mtime_ns, "")


def _state(path: Path) -> FileState:
    """The state with a digest; a time that is too recent to be relied on is recorded as -1."""
    now = time.time_ns()
    state = _state_without_digest(path)
    if state.size < 0:
        return state
    if path.is_dir():
        return state._replace(digest=_names(path))
    if path.suffix.lower() in BULK or not path.is_file():
        return state
    if now - state.modified < FRESH_SECONDS * 1e9:
        state = state._replace(modified=-1)
    try:
        with path.open("rb") as file:
            return state._replace(digest=hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return state


def _state_today(path: Path, was: FileState) -> FileState | None:
    """The present state, or None if anything but the time has changed.

    The content of a file is read only where its time differs from the one recorded.
    """
    now = _state_without_digest(path)
    if now.size < 0 or not was.digest:
        return was if now == was else None
    if now.size != was.size:
        return None
    if now.modified == was.modified != 0:
        return was
    now = _state(path)
    return now if now.digest == was.digest else None


def _names(folder: Path) -> str:
    """A digest of the names in a folder, but for hidden ones; "unlisted" where nobody may read."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208  # names, not paths: there may be 100,000
    except OSError:
        return "unlisted"
    joined = "/".join(["", *names])  # an empty folder is no empty file
    return hashlib.sha256(joined.encode(errors="surrogateescape")).hexdigest()


def _layout(root: Path, depth: int) -> str:
    found: list[str] = []
    folders = [("", 1)]  # relative to the root, ending in a separator
    while folders:
        head, level = folders.pop()
        try:
            entries = [entry for entry in os.scandir(root / head) if entry.name[0] != "."]
        except OSError:
            continue
        names = [entry.name for entry in entries if entry.name.endswith(".zip") or entry.is_dir()]
        found += [head + name for name in names]
        if level < depth:
            folders += [(f"{head}{name}/", level + 1) for name in names]
    return hashlib.sha256("\n".join(sorted(found)).encode(errors="surrogateescape")).hexdigest()
