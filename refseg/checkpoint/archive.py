"""The container of a file of `torch.save`: a zip archive, judged before anything is taken out."""

import struct
import zipfile
from pathlib import Path
from typing import NamedTuple

_END, _LOCATOR, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_MOST_DIRECTORY = 2**24  # bytes; a record takes about 70
_MOST_PROGRAM = 2**27


class NotAnArchiveError(ValueError):
    """A file is not what `torch.save` writes. The message says why."""


class Archive(NamedTuple):
    """What is in a file of `torch.save`.

    Args:
        program: the pickle, which makes the content from the records.
        records: size in bytes of each storage, by its key.
        size: of the file, bytes.
    """

    program: bytes
    records: dict[str, int]
    size: int


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, as `torch.save` writes since torch 1.6."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def open_archive(path: Path) -> Archive:
    """Read the directory and the pickle of a file, which needs no more memory than these.

    Torch reads the same archive by code of its own. Hence everything that two readers may see in
    two ways is refused, and whatever could be larger than the file: `torch.save` writes neither.

    Args:
        path: of the file.

    Raises:
        NotAnArchiveError: it is no archive of `torch.save`.
    """
    size = path.stat().st_size
    _check_directory(path, size)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, size)
            root = members[0].filename.partition("/")[0]
            sizes = {member.filename: member.file_size for member in members}
            program = f"{root}/data.pkl"
            if program not in sizes or f"{root}/constants.pkl" in sizes:
                raise NotAnArchiveError("it is a zip archive, but not one of torch.save")
            if sizes[program] > _MOST_PROGRAM:
                raise NotAnArchiveError(f"its structure alone takes {sizes[program]:,} bytes")
            storages = f"{root}/data/"
            records = {
                name.removeprefix(storages): bytes_
                for name, bytes_ in sizes.items()
                if name.startswith(storages)
            }
            return Archive(archive.read(program), records, size)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        if isinstance(error, NotAnArchiveError):
            raise
        raise NotAnArchiveError(f"its archive is damaged ({error})") from None


def _check_directory(path: Path, size: int) -> None:
    """See that the directory of the archive is the last thing in the file, and not too long."""
    with path.open("rb") as file:
        start = max(0, size - 98)
        file.seek(start)
        tail = file.read()
    end = tail[-22:]
    if not tail or len(end) < 22 or not end.startswith(_END) or end[20:] != b"\0\0":
        raise NotAnArchiveError("it does not end as a file of torch.save")
    length, offset = struct.unpack("<II", end[12:20])
    stop = size - 22
    if tail[-42:-38] == _LOCATOR:
        record = tail[:56]
        stop = start
        if not record.startswith(_END64) or struct.unpack("<Q", tail[-34:-26])[0] != start:
            raise NotAnArchiveError("its archive has two directories")
        length, offset = struct.unpack("<QQ", record[40:56])
    if offset + length != stop or length > _MOST_DIRECTORY:
        raise NotAnArchiveError("the directory of its archive is not where it should be")


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = {member.orig_filename.lower() for member in members}  # torch asks without their case
    if not members or len(names) < len(members):
        raise NotAnArchiveError("its archive has two files of one name, or none")
    for member in members:
        packed = member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1
        if packed or member.file_size != member.compress_size or "\0" in member.orig_filename:
            raise NotAnArchiveError(
                f"{member.filename[:60]!r} in its archive is packed, which torch.save never does"
            )
    if sum(member.file_size for member in members) > size:
        raise NotAnArchiveError("its archive says that it holds more than the file")
