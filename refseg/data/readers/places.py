"""Finds the folders and zip files of a data set in the layouts in which people unpack it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from refseg.data.containers import index_of
from refseg.data.images import image_exists
from refseg.errors import DataError


class Folders:
    """Finds the existing ones of the folders that a data set may have.

    Args:
        bases: folders in which to look.
        patterns: relative paths, in which one `*` stands for any name or the end of one.

    Attributes:
        found: those that exist, in the order of the patterns.
        consulted: all places that were looked at, whether there is something or not: it may come
            later.
    """

    def __init__(self, bases: Iterable[Path], patterns: Iterable[str]) -> None:
        bases = list(bases)
        places: list[Path] = []
        listed: list[Path] = []
        for pattern in patterns:
            head, star, tail = pattern.partition("*")
            for base in bases:
                if not star:
                    places.append(base / pattern)
                    continue
                listed.append((base / f"{head}x").parent)
                places += [place / tail.strip("/") for place in sorted(base.glob(head + star))]
        self.found = [place for place in dict.fromkeys(places) if place.is_dir()]
        self.consulted = [*places, *listed]


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

    Attributes:
        consulted: all folders and zip files that were looked for.
    """

    def __init__(self, bases: Sequence[Path], patterns: Sequence[str]) -> None:
        places = Folders(bases, patterns)
        folders = places.found
        self._paths = index_files(folders)
        archives = [base / f"{pattern}.zip" for pattern in patterns for base in bases]
        self._archived = [
            archive / inside
            for archive in archives
            if archive.is_file()
            for inside in index_of(archive).folders
        ]
        self.consulted = [*places.consulted, *archives]
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
