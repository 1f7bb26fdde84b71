"""Unpacks archives from the internet without leaving the folder or filling the disk."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from refseg.data.downloads.archives import (
    Archive,
    Member,
    checked_members,
    find_content,
    open_archive,
    refused,
)
from refseg.data.downloads.progress import Advance, Listener
from refseg.errors import DataError

_BLOCK = 2**20


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
            member: _relative(member.path, inside)
            for member in members
            if PurePosixPath(member.path).is_relative_to(inside)
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


def need_space(folder: Path, size: int, task: str) -> None:
    """Raise an error at once if the disk has too little space.

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
                    raise refused(archive.path, f"{member.name!r} is longer than it declares")
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


def _relative(name: str, inside: str) -> str:
    return str(PurePosixPath(name).relative_to(inside))
