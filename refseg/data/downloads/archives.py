"""Checks of archives from the internet before anything in them is used."""

import lzma
import re
import stat
import tarfile
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

from refseg.errors import DataError

MOST_MEMBERS = 500_000
"""An archive with more files is refused; COCO's train2014 has 82,783."""
MOST_GROWTH = 100
"""An archive may unpack to so many times its own size (JSON and pickles: below 20) …"""
ALWAYS_ALLOWED = 2**26
"""… or to these 64 MiB: small archives of small texts shrink more."""
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

    @property
    def path(self) -> str:
        """Its name with slashes, also where a program of Windows wrote backslashes."""
        return self.name.replace("\\", "/")


class Archive(ABC):
    """The common interface of zip and tar archives."""

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
                raise refused(self.path, f"it contains a link, {entry.filename!r}")
            if entry.flag_bits & 1:
                raise refused(self.path, "it is encrypted")
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
                raise refused(self.path, f"it contains a link or a device, {entry.name!r}")
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
    paths = [PurePosixPath(member.path) for member in members]
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


def checked_members(archive: Archive) -> list[Member]:
    """The files of an archive, none of which is dangerous.

    Raises:
        DataError: a path leads out of the folder, a file occurs twice, a file is a link, or it
            would unpack to far more than an archive of this size should.
    """
    members = archive.members()
    seen: set[str] = set()
    for member in members:
        if not _is_inside(member.path):
            raise refused(archive.path, f"the path {member.name!r} leads out of the folder")
        if member.path in seen:
            raise refused(archive.path, f"it contains {member.path!r} twice")
        seen.add(member.path)
    declared = sum(member.size for member in members)
    if len(members) > MOST_MEMBERS or declared > _limit(archive.path):
        raise _too_large(archive.path)
    return members


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not (
        path.is_absolute() or ".." in path.parts or "\0" in name or re.match(r"[A-Za-z]:", name)
    )


def _limit(path: Path) -> int:
    return max(MOST_GROWTH * path.stat().st_size, ALWAYS_ALLOWED)


def refused(path: Path, reason: str) -> DataError:
    """The error for an archive that is dangerous."""
    return DataError(f"{path} is not unpacked: {reason}. Get it from another source.")


def _too_large(path: Path) -> DataError:
    return refused(
        path, f"it would grow to more than {_limit(path):,} bytes or {MOST_MEMBERS:,} files"
    )
