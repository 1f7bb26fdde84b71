"""One cached table on disk: the Arrow file, and beside it the record of what it was made from."""

import contextlib
import errno
import json
import os
import re
import stat
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from refseg.data.cache_fingerprint import Fingerprint
from refseg.data.readers import OnBadRecord
from refseg.data.references import References
from refseg.data.table_files import read_table, write_table
from refseg.errors import DataError
from refseg.files import replacing, write_text

FORMAT = 2
"""Raised by hand whenever the readers make another table of the same files, or the record or the
columns change: tables of another number are made again."""

_CHUNK = 1 << 20
_ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Request:
    """The arguments of `read_references`."""

    root: Path
    dataset: str
    split_by: str | None
    on_bad_record: OnBadRecord
    outside_files: bool = False

    @staticmethod
    def slug(text: str) -> str:
        """A text as part of a file name.

        Example:
            >>> Request.slug("refcoco+"), Request.slug("../a b")
            ('refcoco+', '.._a_b')
        """
        return re.sub(r"[^\w.+-]", "_", text)[:60]

    @property
    def stem(self) -> str:
        """The first part of the names of its files, different for different arguments."""
        arguments = (self.dataset, self.split_by, self.on_bad_record, self.outside_files)
        digest = sha256(repr(arguments).encode(errors="surrogateescape")).hexdigest()[:8]
        return f"{self.slug(self.split_by or 'only')}-{self.on_bad_record}-{digest}"


class CacheEntry:
    """The table of one request in one folder.

    The Arrow file carries the key of the content in its name and is never changed. The record says
    which of them is the current one, what it was made from, and its checksum.

    Args:
        folder: where the files lie.
        request: what was asked for.
    """

    def __init__(self, folder: Path, request: Request) -> None:
        self.folder = folder
        self.request = request
        self.damage = ""
        """What was wrong with the file when `open` found nothing, where something was."""

    @property
    def lock_path(self) -> Path:
        """The lock file, which a process holds while it makes the table."""
        return self.folder / f"{self.request.stem}.lock"

    @property
    def record_path(self) -> Path:
        """The record, which is written last, so that the table it names is complete."""
        return self.folder / f"{self.request.stem}.json"

    def prepare(self) -> None:
        """Make the folder of the cache; never the data set's own folder, whose absence is an error.

        A data set's folder that nobody may write to is left alone by the superuser, too.

        Raises:
            OSError: it cannot be made.
        """
        is_beside = self.folder.parent == self._own_folder
        if is_beside and not self._own_folder.stat().st_mode & _ANYBODY_WRITES:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._own_folder))
        self.folder.mkdir(exist_ok=True, parents=not is_beside)

    def open(self) -> References | None:
        """The table, if it exists, is undamaged, and its files have not changed since."""
        self.damage = ""
        try:
            record = json.loads(self.record_path.read_bytes())
            if record["format"] != FORMAT:
                return None
            fingerprint = Fingerprint.from_record(record["fingerprint"])
            name, size, checksum = record["table"]
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        today = fingerprint.still(self.request.root, self.request.dataset)
        if today is None:
            return None
        path = self.folder / Path(name).name
        if _checksum(path) != (size, checksum):
            self.damage = f"The cached table {path} is damaged"
            return None
        try:
            references = read_table(path, self.request.root)
        except DataError:
            self.damage = f"The cached table {path} cannot be read"
            return None
        if today != fingerprint:  # only the times differ: spare the next one the reading
            with contextlib.suppress(OSError):
                self.prepare()
                self._write_record(path.name, (size, checksum), today)
        return references

    def store(self, references: References, fingerprint: Fingerprint) -> References:
        """Write the table, then the record; remove outdated tables. Call it with the lock held.

        Raises:
            OSError: the folder is full, for one.
        """
        digest = sha256(f"{FORMAT} {fingerprint.key()}".encode()).hexdigest()[:16]
        path = self.folder / f"{self.request.stem}-{digest}.arrow"
        with replacing(path) as temporary:
            write_table(references, temporary, self.request.root)
            checksum = _checksum(temporary)
        self._write_record(path.name, checksum, fingerprint)
        for other in self.folder.glob(f"{self.request.stem}-*.arrow"):
            if other != path:
                other.unlink(missing_ok=True)
        return read_table(path, self.request.root)

    def sweep(self) -> None:
        """Remove unfinished files of killed processes. Call it with the lock held."""
        for leftover in self.folder.glob(f".{self.request.stem}-*"):
            leftover.unlink(missing_ok=True)

    @property
    def _own_folder(self) -> Path:
        return self.request.root / self.request.dataset

    def _write_record(self, name: str, checksum: tuple[int, int], fingerprint: Fingerprint) -> None:
        record = {
            "format": FORMAT,
            "table": [name, *checksum],
            "fingerprint": fingerprint.as_record(),
        }
        write_text(self.record_path, json.dumps(record))


def _checksum(path: Path) -> tuple[int, int]:
    """Size and CRC-32; a size of -1 where there is no such file."""
    size = checksum = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                checksum = zlib.crc32(chunk, checksum)
    except OSError:
        return -1, 0
    return size, checksum
