"""Members of zip files, read where they lie: nothing is unpacked to disk.

A path may run through a zip file: `train2014.zip/train2014/COCO_train2014_000000000009.jpg`. Only
an index of the archive is kept, in arrays of some megabytes, which worker processes share with the
process that they were forked from. The archive is opened anew for each member, as a folder's file
would be, so that there is no open file that two processes or threads could move under each other.
"""

import hashlib
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt64

from refseg.errors import DataError

MAX_MEMBER = 2**28
"""Bytes of the largest member that is read: no photograph has more than a quarter of a gigabyte."""

_LOCAL_HEADER = struct.Struct("<4s2B4HL2L2H")  # as zipfile's structFileHeader
_ENCRYPTED = 0x1
_FOLDERS = 64


class Member(NamedTuple):
    """A file in a zip file.

    Args:
        archive: the zip file.
        name: of the file within it, with `/` between folders.
    """

    archive: Path
    name: str


def find_member(path: Path) -> Member | None:
    """The member that a path means, or None for an ordinary path.

    Args:
        path: of an image, such as `train2014.zip/train2014/cat.jpg`. A folder may be called
            `train2014.zip`, too: then the path is an ordinary one.
    """
    if ".zip" not in str(path).lower():
        return None
    archive = next((parent for parent in path.parents if _is_archive(parent)), None)
    return None if archive is None else Member(archive, path.relative_to(archive).as_posix())


@dataclass(frozen=True)
class ArchiveIndex:
    """Where the members of a zip file lie in it.

    Args:
        keys: a hash of each member's name, sorted.
        entries: of each member, the offset of its header, its size in the archive and unpacked,
            its checksum, its method of compression and its flags.
        folders: with files directly in them, in order of appearance; `.` is the top. Only the first
            64 are listed.
    """

    keys: UInt64[np.ndarray, " members"]
    entries: Int64[np.ndarray, " members 6"]
    folders: tuple[str, ...]

    def find(self, name: str) -> list[int] | None:
        """The entry of a member, or None."""
        key = _key(name)
        position = int(np.searchsorted(self.keys, np.uint64(key), side="right")) - 1
        if position < 0 or self.keys[position] != key:
            return None
        return self.entries[position].tolist()


def index_of(archive: Path) -> ArchiveIndex:
    """The index of a zip file, made when it is first needed and when the file has changed.

    Raises:
        DataError: the file is absent, or is no complete zip file.
    """
    try:
        status = archive.stat()
    except OSError as error:
        raise DataError(f"Cannot read {archive}: {error.strerror or error}.") from None
    return _read_index(archive, status.st_size, status.st_mtime_ns)


def has_member(member: Member) -> bool:
    """Whether a zip file has a member of this name.

    Raises:
        DataError: it is no complete zip file.
    """
    return index_of(member.archive).find(member.name) is not None


def read_member(member: Member) -> bytes:
    """The content of a member of a zip file.

    Raises:
        DataError: the archive or the member is damaged, or the member is encrypted, larger than any
            photograph, or compressed in a way that zip files of images are not.
        FileNotFoundError: the archive has no such member.
    """
    entry = index_of(member.archive).find(member.name)
    if entry is None:
        raise FileNotFoundError(member.name)
    offset, packed_size, size, checksum, method, flags = entry
    here = f"{member.name} in {member.archive}"
    if flags & _ENCRYPTED:
        raise DataError(f"{here} is encrypted; unpack the archive with its password.")
    if max(size, packed_size) > MAX_MEMBER:
        raise DataError(f"{here} has {max(size, packed_size):,} bytes, which no image has.")
    try:
        with member.archive.open("rb") as file:
            packed = _packed(file, offset, packed_size, member.name)
        content = _unpacked(packed, size, method)
    except (OSError, struct.error, zlib.error, ValueError, OverflowError) as error:
        raise DataError(
            f"{here} is damaged ({error}); download or copy the archive again."
        ) from None
    if zlib.crc32(content) != checksum:
        raise DataError(f"{here} is damaged (wrong checksum); download or copy the archive again.")
    return content


def _packed(file: BinaryIO, offset: int, packed_size: int, name: str) -> bytes:
    file.seek(offset)
    header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    signature, flags, name_size, extra_size = header[0], header[3], header[-2], header[-1]
    encoding = "utf-8" if flags & 0x800 else "cp437"
    stored = file.read(name_size).decode(encoding)
    if signature != b"PK\x03\x04" or name not in (stored, stored.replace("\\", "/")):
        raise ValueError("its header is not where the archive says")
    file.seek(extra_size, os.SEEK_CUR)
    return file.read(packed_size)


def _unpacked(packed: bytes, size: int, method: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    raise ValueError(f"compression method {method} instead of none or deflate")


def _is_archive(path: Path) -> bool:
    # os.path, as Path raises where a name is too long
    return path.suffix.lower() == ".zip" and os.path.isfile(path)  # noqa: PTH113


@lru_cache(maxsize=16)
def _read_index(archive: Path, size: int, modified: int) -> ArchiveIndex:
    """Made anew when size or time of the file differ from those of the index that is kept."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
        named = {member.filename: member for member in members}
        for name in [name for name in named if "\\" in name]:  # as some programs of Windows do
            named.setdefault(name.replace("\\", "/"), named[name])
        keys = np.array([_key(name) for name in named], np.uint64)
        entries = np.array([_entry(member) for member in named.values()], np.int64).reshape(-1, 6)
    except Exception as error:  # whatever a broken directory makes zipfile stumble over
        raise DataError(
            f"{archive} is not a complete zip file ({error}); download or copy it again."
        ) from None
    order = np.argsort(keys, kind="stable")
    folders = dict.fromkeys(name.rpartition("/")[0] or "." for name in named)
    return ArchiveIndex(keys[order], entries[order], tuple(folders)[:_FOLDERS])


def _entry(member: zipfile.ZipInfo) -> tuple[int, ...]:
    return (
        member.header_offset,
        member.compress_size,
        member.file_size,
        member.CRC,
        member.compress_type,
        member.flag_bits,
    )


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
