"""Unpacking archives from the internet: nothing leaves the folder, nothing fills the disk."""

import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BufferedIOBase
from pathlib import Path, PurePosixPath

from refseg.data.downloads.listener import Advance, Listener
from refseg.errors import DataError

MOST_MEMBERS = 500_000
"""An archive with more files is refused; COCO's train2014 has 82,783."""
MOST_GROWTH = 100
"""An archive may unpack to so many times its own size (JSON and pickles: below 20) …"""
ALWAYS_ALLOWED = 2**26
"""… or to these 64 MiB: small archives of small texts shrink more."""
_BLOCK = 2**20
_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@dataclass(frozen=True)
class Member:
    """One file in an archive: its name there, and its size as the archive declares it."""

    name: str
    size: int


class Archive(ABC):
    """What zip and tar have in common here."""

    path: Path

    @abstractmethod
    def members(self) -> list[Member]:
        """All files; a link or an encrypted file raises a DataError."""

    @abstractmethod
    def open(self, member: Member) -> BufferedIOBase:
        """The content of a file."""


class _Zip(Archive):
    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path = path
        self._file = file

    def members(self) -> list[Member]:
        found: list[Member] = []
        for entry in self._file.infolist():
            if entry.is_dir():
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refused(self.path, f"it contains a link, {entry.filename!r}")
            if entry.flag_bits & 1:
                raise _refused(self.path, "it is encrypted")
            found.append(Member(entry.filename, entry.file_size))
        return found

    def open(self, member: Member) -> BufferedIOBase:
        content = self._file.open(member.name)
        assert isinstance(content, BufferedIOBase)  # for mypy, which knows an IO only
        return content


class _Tar(Archive):
    def __init__(self, path: Path, file: tarfile.TarFile) -> None:
        self.path = path
        self._file = file

    def members(self) -> list[Member]:
        found: list[Member] = []
        read = 0
        limit = _limit(self.path)
        for entry in self._file:  # one by one: reading all of a bomb's headers may never end
            read += entry.size
            if len(found) >= MOST_MEMBERS or read > limit:
                raise _too_large(self.path)
            if entry.isdir():
                continue
            if not entry.isreg():
                raise _refused(self.path, f"it contains a link or a device, {entry.name!r}")
            found.append(Member(entry.name, entry.size))
        return found

    def open(self, member: Member) -> BufferedIOBase:
        content = self._file.extractfile(member.name)
        assert isinstance(content, BufferedIOBase)  # members() lets regular files through only
        return content


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip or tar archive, by its content and not by its name.

    Raises:
        DataError: it is neither, or is cut short, or is dangerous.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                yield _Zip(path, file)
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                yield _Tar(path, tar)
        else:
            raise DataError(f"{path} is no complete zip or tar archive; download or copy it again.")
    except _BROKEN as error:
        raise DataError(
            f"{path} is a broken archive ({error}); download or copy it again."
        ) from None


def find_content(members: Sequence[Member], patterns: Sequence[str]) -> str | None:
    """The folder inside an archive that has a file for each pattern; None if there is none.

    People pack the same files with one folder around them, with two, or with none.

    Example:
        >>> names = ["refcoco/instances.json", "refcoco/refs(unc).p", "__MACOSX/refcoco/._x"]
        >>> find_content([Member(name, 1) for name in names], ["instances.json", "refs(*).p"])
        'refcoco'
    """
    paths = [PurePosixPath(member.name) for member in members]
    folders = Counter(
        str(path.parent)
        for path in paths
        if "__MACOSX" not in path.parts and any(fnmatchcase(path.name, p) for p in patterns)
    )
    names: dict[str, list[str]] = {folder: [] for folder in folders}
    for path in paths:
        if str(path.parent) in names:
            names[str(path.parent)].append(path.name)
    for folder, _ in sorted(folders.items(), key=lambda item: (-item[1], len(item[0]))):
        if all(any(fnmatchcase(name, p) for name in names[folder]) for p in patterns):
            return folder
    return None


def unpack(path: Path, patterns: Sequence[str], folder: Path, listener: Listener) -> list[str]:
    """Unpack the part of an archive that belongs into a folder, all or nothing.

    Files that the folder has already stay as they are.

    Args:
        path: a zip or tar archive.
        patterns: what to look for, see `find_content`: what lies beside it is unpacked with it.
        folder: where the files go; made if it is absent.
        listener: is told how far it is.

    Returns:
        The names of the new files, relative to `folder`.

    Raises:
        DataError: the archive is broken or dangerous, or has not what was looked for, or the disk
            is too small. Nothing is left behind.
    """
    with open_archive(path) as archive:
        members = checked_members(archive)
        inside = find_content(members, patterns)
        if inside is None:
            raise DataError(
                f"{path} has no folder with {', '.join(patterns)}; is it the right archive?"
            )
        chosen = {
            member: _relative(member.name, inside)
            for member in members
            if PurePosixPath(member.name).is_relative_to(inside)
        }
        chosen = {member: name for member, name in chosen.items() if not (folder / name).exists()}
        total = sum(member.size for member in chosen)
        folder.parent.mkdir(parents=True, exist_ok=True)
        need_space(folder.parent, total, f"unpacking {path.name}")
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary,
            listener.bar(f"unpacking {path.name}", total) as advance,
        ):
            new = Path(temporary) / folder.name
            _extract(archive, chosen, new, advance)
            _move(new, folder)
    return sorted(chosen.values())


def checked_members(archive: Archive) -> list[Member]:
    """The files of an archive, none of which is dangerous.

    Raises:
        DataError: a path leads out of the folder, a file occurs twice, a file is a link, or it
            would unpack to far more than an archive of this size should.
    """
    members = archive.members()
    seen: set[str] = set()
    for member in members:
        if not _is_inside(member.name):
            raise _refused(archive.path, f"the path {member.name!r} leads out of the folder")
        if member.name in seen:
            raise _refused(archive.path, f"it contains {member.name!r} twice")
        seen.add(member.name)
    declared = sum(member.size for member in members)
    if len(members) > MOST_MEMBERS or declared > _limit(archive.path):
        raise _too_large(archive.path)
    return members


def need_space(folder: Path, size: int, task: str) -> None:
    """Refuse at once what would fill the disk in the end.

    Raises:
        DataError: the disk of `folder` has less than `size` bytes left.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{task} needs {size / 1e9:,.1f} GB, but the disk of {folder} has {free / 1e9:,.1f} GB "
            "left; make room, or give another --root."
        )


def _extract(archive: Archive, chosen: dict[Member, str], folder: Path, advance: Advance) -> None:
    done = 0
    for member, name in chosen.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as sink:
            written = 0
            while block := source.read(_BLOCK):
                written += len(block)
                if written > member.size:
                    raise _refused(archive.path, f"{member.name!r} is longer than it declares")
                sink.write(block)
                advance(done + written)
        done += written
        if written != member.size:
            raise DataError(f"{archive.path}: {member.name!r} is cut short; download it again.")


def _move(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    for path in sorted(new.rglob("*")):
        target = folder / path.relative_to(new)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif not target.exists():
            path.replace(target)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name)
    )


def _relative(name: str, inside: str) -> str:
    return str(PurePosixPath(name).relative_to(inside))


def _limit(path: Path) -> int:
    return max(MOST_GROWTH * path.stat().st_size, ALWAYS_ALLOWED)


def _refused(path: Path, reason: str) -> DataError:
    return DataError(f"{path} is not unpacked: {reason}. Get it from another source.")


def _too_large(path: Path) -> DataError:
    return _refused(
        path, f"it would grow to more than {_limit(path):,} bytes or {MOST_MEMBERS:,} files"
    )
