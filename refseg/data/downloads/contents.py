"""Checks that the bytes of a download are those of the wanted file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from refseg.data.catalog import KnownFile
from refseg.data.downloads.archives import checked_members, find_content, open_archive
from refseg.data.downloads.progress import Listener
from refseg.errors import DataError

_BLOCK = 2**20
_BEGINNINGS = {
    ".zip": (b"PK\x03\x04",),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".json": (b"{", b"["),
}
_ENDINGS = {".json": (b"}", b"]")}


def check_start(file: KnownFile, headers: Mapping[str, str], block: bytes) -> str | None:
    """Check the first bytes of a download; a message, or None if they are right.

    Servers answer with a page of apology and the status 200: better seen before 13 GB of it.
    """
    start = block.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = headers.get("Content-Type", "")
    if start[:200].lower().startswith((b"<!doctype", b"<html", b"<?xml")) or "text/html" in kind:
        return "it sends a web page instead of the file"
    beginnings = _BEGINNINGS.get(Path(file.name).suffix)
    if beginnings and not start.startswith(beginnings):
        return f"what it sends does not begin as {Path(file.name).suffix} files do"
    return None


def check_content(path: Path, file: KnownFile, listener: Listener) -> None:
    """Compare a file with what is known of it: size, checksum, and what it contains.

    Raises:
        DataError: it is not the file, or not all of it.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DataError(f"{path} has {size:,} bytes; {file.name} has {file.size:,}.")
    if file.sha256 is not None and (found := checksum(path, listener)) != file.sha256:
        raise DataError(
            f"{path} has the SHA-256 checksum {found[:12]}…, but {file.name} has "
            f"{file.sha256[:12]}…."
        )
    if file.is_archive:
        check_archive(path, file)
    else:
        check_ends(path)


def check_archive(path: Path, file: KnownFile) -> None:
    """Check that an archive is complete and contains the expected files.

    Raises:
        DataError: it is not, or does not.
    """
    with open_archive(path) as archive:
        if find_content(checked_members(archive), file.holds) is None:
            raise DataError(f"{path} has no folder with {', '.join(file.holds)}.")


def check_ends(path: Path) -> None:
    """Check that a file begins and ends with the bytes of its kind.

    Raises:
        DataError: it does not, and so was cut short or is something else.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        file.seek(max(0, path.stat().st_size - 64))
        end = file.read().rstrip()
    beginnings = _BEGINNINGS.get(path.suffixes[0] if path.suffixes else "", (b"",))
    endings = _ENDINGS.get(path.suffix, (b"",))
    if not start or not start.startswith(beginnings) or not end.endswith(endings):
        raise DataError(f"{path} is empty, cut short or no {path.suffix} file; delete it.")


def checksum(path: Path, listener: Listener) -> str:
    """The SHA-256 checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file, listener.bar(f"checking {path.name}", path.stat().st_size) as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            bar(done)
    return digest.hexdigest()
