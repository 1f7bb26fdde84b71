"""Which files lie where: data sets are unpacked into many layouts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from refseg.data.containers import index_of
from refseg.data.images import image_exists
from refseg.data.readers.opened import looked_for
from refseg.errors import DataError


def existing_folders(bases: Iterable[Path], patterns: Iterable[str]) -> list[Path]:
    """The folders that exist, in the order of the patterns.

    Args:
        bases: folders in which to look.
        patterns: relative paths, in which one `*` stands for any name or the end of one.
    """
    bases = list(bases)
    found = [
        folder
        for pattern in patterns
        for base in bases
        for folder in _places(base, pattern)
        if looked_for(folder) and folder.is_dir()
    ]
    return list(dict.fromkeys(found))


def _places(base: Path, pattern: str) -> list[Path]:
    """Where a pattern may lead, whether there is something or not: it may come later."""
    if "*" not in pattern:
        return [base / pattern]
    head, star, tail = pattern.partition("*/")
    return [place / tail for place in sorted(base.glob(head + star.rstrip("/")))]


def index_files(folders: Sequence[Path]) -> dict[str, str]:
    """The path of each file by its name; the first folder that has it counts.

    Listing a folder once is much faster, on a network disk above all, than asking for each of a
    hundred thousand files.

    Raises:
        DataError: a folder may not be listed.
    """
    paths: dict[str, str] = {}
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    paths.setdefault(entry.name, entry.path)
        except OSError as error:
            raise DataError(
                f"Cannot list {folder}: {error.strerror or error}; check its permissions."
            ) from None
    return paths


class ImageFiles:
    """Finds the images of a data set by name, in several folders or zip files.

    Args:
        bases: folders in which to look.
        patterns: relative paths of folders of images, in which `*` stands for any name; each may
            be a zip file beside where the folder would be, as it was downloaded.
    """

    def __init__(self, bases: Sequence[Path], patterns: Sequence[str]) -> None:
        folders = existing_folders(bases, patterns)
        self._paths = index_files(folders)
        archives = [base / f"{pattern}.zip" for pattern in patterns for base in bases]
        self._archived = [
            archive / inside
            for archive in archives
            if looked_for(archive) and archive.is_file()
            for inside in index_of(archive).folders
        ]
        self._default = (folders or self._archived or [bases[0] / patterns[0]])[0]

    def find(self, name: str) -> str | None:
        """The path of an image, or None where it is absent."""
        if name in self._paths:
            return self._paths[name]
        archived = (place / name for place in self._archived)
        return next((str(path) for path in archived if image_exists(path)), None)

    def place(self, name: str) -> str:
        """The path of an image, or the path where it should be."""
        return self.find(name) or str(self._default / name)
