"""Files that the user has already: archives, folders and single files, wherever they lie."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from refseg.data.catalog import KnownFile
from refseg.data.downloads.archives import checked_members, find_content, open_archive
from refseg.data.downloads.progress import Listener
from refseg.data.downloads.unpacking import need_space, unpack
from refseg.data.presence import holds
from refseg.errors import DataError
from refseg.files import replacing


@dataclass(frozen=True)
class Given:
    """A file, folder or archive of the user that contains the wanted files.

    Args:
        path: an archive, a folder, or a single file.
        patterns: which of the wanted files it holds.
        place: which of the places that were searched led to it.
    """

    path: Path
    patterns: tuple[str, ...]
    place: Path


def find_given(
    places: Sequence[Path], file: KnownFile, wanted: Sequence[Sequence[str]]
) -> Given | None:
    """The first of the user's places that contains the wanted files.

    Args:
        places: archives, single files, or folders that have the content itself, a folder of its
            name, or the archive.
        file: the file as it is published.
        wanted: sets of patterns; the first that a place holds counts.

    Raises:
        DataError: an archive of the right name is broken or dangerous.
    """
    for place in places:
        for candidate in _candidates(place, file):
            for patterns in wanted:
                if _has(candidate, file, patterns):
                    return Given(candidate, tuple(patterns), place)
    return None


def _candidates(place: Path, file: KnownFile) -> Iterator[Path]:
    yield place
    if place.is_dir():
        yield from (place / file.folder, place / Path(file.folder).name, place / file.name)


def _has(path: Path, file: KnownFile, patterns: Sequence[str]) -> bool:
    if path.is_dir():
        return all(holds(path, pattern) for pattern in patterns)
    if not path.is_file():
        return False
    if not file.is_archive:
        return any(fnmatchcase(path.name, pattern) for pattern in file.holds)
    try:
        with open_archive(path) as archive:
            return find_content(checked_members(archive), patterns) is not None
    except DataError:
        if path.name == file.name:
            raise
        return False  # a file for another data set, which will complain itself


def take(given: Given, file: KnownFile, root: Path, *, unpacked: bool, listener: Listener) -> None:
    """Copy the user's files to their place; the originals stay.

    Annotations are small and are copied. Images are many gigabytes: an archive that can be read
    as it is, and a folder, are linked.

    Args:
        given: what was found.
        file: the file as it is published.
        root: the folder of the data.
        unpacked: unpack also what could be read out of its archive.
        listener: is told what was taken.

    Raises:
        DataError: the archive is broken or dangerous.
    """
    folder = root / file.folder
    if given.path.is_dir():
        if file.kept_as or file.is_part or "*" in "".join(given.patterns):
            _link(given.path, folder, listener)
        else:
            _copy(given, folder, listener)
    elif not file.is_archive:
        _copy_file(given.path, folder / file.name)
        listener.line(f"{file.name}: copied from {given.path}")
    else:
        _compare_size(given.path, file, listener)
        place_archive(given, file, root, unpacked=unpacked, move=False, listener=listener)


def place_archive(
    given: Given, file: KnownFile, root: Path, *, unpacked: bool, move: bool, listener: Listener
) -> None:
    """Unpack an archive into its folder, or keep it as it is where it can be read like that.

    Args:
        given: the archive.
        file: the file as it is published.
        root: the folder of the data.
        unpacked: unpack it in any case.
        move: it was downloaded and may be moved or deleted; else it is the user's.
        listener: is told how far it is.

    Raises:
        DataError: the archive is broken or dangerous.
    """
    folder = root / file.folder
    if file.kept_as and not unpacked:
        place = root / file.kept_as
        if move:
            place.parent.mkdir(parents=True, exist_ok=True)
            given.path.replace(place)
            listener.line(f"{file.name}: kept packed as {place}, images are read out of it")
        else:
            _link(given.path, place, listener)
        return
    new = unpack(given.path, given.patterns, folder, listener)
    if file.is_part:
        (folder / file.marker).touch()
    what = f"{new[0]} and {len(new) - 1:,} more" if len(new) > 3 else ", ".join(new)
    listener.line(f"{file.name}: unpacked {given.path} into {folder} ({what or 'nothing new'})")
    if move:
        given.path.unlink()


def _compare_size(path: Path, file: KnownFile, listener: Listener) -> None:
    size = path.stat().st_size
    if file.size not in (None, size):
        listener.line(
            f"{path} has {size:,} bytes, {file.name} as published {file.size:,}; taken all the "
            "same, as it holds what is needed",
            important=True,
        )


def _link(path: Path, place: Path, listener: Listener) -> None:
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        place.rmdir()  # an empty folder holds nobody's images
    if place.exists() or place.is_symlink():
        raise DataError(
            f"{place} is there already, so {path} cannot be linked to it; move one of them away."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(path.resolve(), target_is_directory=path.is_dir())
    except OSError as error:  # file systems without links
        raise DataError(
            f"Cannot link {place} to {path} ({error.strerror}); move it there yourself."
        ) from None
    listener.line(f"{place}: linked to {path.resolve()}")


def _copy(given: Given, folder: Path, listener: Listener) -> None:
    copied = []
    for path in sorted(given.path.iterdir()):
        wanted = any(fnmatchcase(path.name, pattern) for pattern in given.patterns)
        if wanted and path.is_file() and not (folder / path.name).exists():
            _copy_file(path, folder / path.name)
            copied.append(path.name)
    listener.line(f"{folder}: copied {', '.join(copied)} from {given.path}")


def _copy_file(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    need_space(place.parent, path.stat().st_size, f"copying {path}")
    with replacing(place) as temporary:
        shutil.copyfile(path, temporary)
