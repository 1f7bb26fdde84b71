"""What a table of references was made from, and whether that is still as it was."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from refseg.data.readers.opened import Opened
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
    """A file as it was.

    Args:
        size: bytes; -1 where there is no such file.
        modified: nanoseconds since the epoch; -1 where that proves nothing.
        digest: of the content; empty for `BULK` and for what is no file.
    """

    size: int
    modified: int
    digest: str


@dataclass(frozen=True)
class Sources:
    """Everything that a table was made from.

    These are all files of the data set's own folder, whoever reads them; files elsewhere that the
    reader opened; the names in folders that it listed; and which folders of images there were.
    Paths are relative to the root where they lie under it, so that the root can be moved.

    Args:
        files: path to state.
        listings: path of a folder to a digest of the names in it.
        layout: a digest of the folders and archives under the root.
        layout_depth: to which depth those count.
        pictures: whether the first image was there.
    """

    files: dict[str, FileState]
    listings: dict[str, str]
    layout: str
    layout_depth: int
    pictures: dict[str, bool]

    @classmethod
    def take(
        cls, root: Path, dataset: str, opened: Opened, picture: str | None, earlier: "Sources"
    ) -> "Sources":
        """The state after a table was made.

        Args:
            root: as given to the reader.
            dataset: as given to the reader.
            opened: what it opened and listed elsewhere.
            picture: the first image of the table, relative to the root if it lies there.
            earlier: what `before` found, for digests that are known already.
        """
        files = dict(earlier.files)
        for name in relative_to_root(map(str, opened.files), root):
            if name not in files:
                files[name] = _state(root / name)
        own = (root / dataset).absolute()
        listed = [str(path) for path in opened.folders if not path.is_relative_to(own)]
        listings = {name: _names(root / name) for name in relative_to_root(listed, root)}
        present = picture is None or _is_there(root / picture)
        depth = 1 if present else _FOLDERS_DEEP
        pictures = {} if picture is None else {picture: present}
        return cls(files, listings, _layout(root, depth), depth, pictures)

    @classmethod
    def before(cls, root: Path, dataset: str) -> "Sources":
        """The data set's own folder, as it is before it is read."""
        files = {name: _state(root / name) for name in _own_files(root, dataset)}
        return cls(files, {}, "", 0, {})

    @classmethod
    def from_record(cls, record: dict[str, object]) -> "Sources":
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
        seen = (content, sorted(self.listings.items()), self.layout)
        return hashlib.sha256(repr(seen).encode()).hexdigest()

    def still(self, root: Path, dataset: str) -> "Sources | None":
        """Itself, with the times of today, where nothing has changed; else None.

        Contents are read only where a size or a time differs from the one recorded.
        """
        own = set(_own_files(root, dataset))
        if any(name not in self.files for name in own):
            return None
        files: dict[str, FileState] = {}
        for name, was in self.files.items():
            now = _state_without_digest(root / name)
            if now != was._replace(digest=""):
                if not was.digest or now.size != was.size:
                    return None
                now = _state(root / name)
                if now.digest != was.digest:
                    return None
                files[name] = now
            else:
                files[name] = was
        if any(_is_there(root / name) != was for name, was in self.pictures.items()):
            return None
        if any(_names(root / name) != was for name, was in self.listings.items()):
            return None
        if _layout(root, self.layout_depth) != self.layout:
            return None
        return Sources(files, self.listings, self.layout, self.layout_depth, self.pictures)


def _is_there(picture: Path) -> bool:
    """Also where its path runs through an archive that is there."""
    # Those of Path raise where a name is too long
    return os.path.exists(picture) or any(  # noqa: PTH110
        folder.suffix == ".zip" and os.path.isfile(folder)  # noqa: PTH113
        for folder in picture.parents
    )


def _own_files(root: Path, dataset: str) -> Iterator[str]:
    """Relative to the root; folders that are links are followed, but not round in circles."""
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
    except OSError:
        return FileState(-1, 0, "")
    if S_ISDIR(status.st_mode):  # that it is there, is all; see `listings` for what is in it
        return FileState(0, 0, "")
    return FileState(status.st_size, status.st_mtime_ns, "")


def _state(path: Path) -> FileState:
    """With the digest, where there is one; the time counts only once it is certain to be past."""
    now = time.time_ns()
    state = _state_without_digest(path)
    if state.size < 0:
        return state
    if path.suffix.lower() in BULK or not path.is_file():
        return state
    if now - state.modified < FRESH_SECONDS * 1e9:
        state = state._replace(modified=-1)
    try:
        with path.open("rb") as file:
            return state._replace(digest=hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return state


def _names(folder: Path) -> str:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208  # names, not paths: there may be 100,000
    except OSError:
        return ""
    return hashlib.sha256("/".join(names).encode(errors="surrogateescape")).hexdigest()


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
