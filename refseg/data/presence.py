"""Finds the files of the known data sets under a root, in the layouts in which people keep them."""

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from refseg.data.catalog import IMAGE_SETS, ImageSet, KnownDataset, KnownFile


@dataclass(frozen=True)
class ImagesPresent:
    """Images that were found.

    Args:
        place: the folder, or the archive.
        images: number of image files in it.
        problem: why an archive cannot be read; empty where all is well.
    """

    place: Path
    images: int
    problem: str = ""

    @property
    def is_archive(self) -> bool:
        """Whether the images are read out of an archive."""
        return self.place.is_file()


def holds(folder: Path, pattern: str) -> bool:
    """Whether a folder has a file of that name (or glob pattern) that is not empty."""
    if not any(character in pattern for character in "*?["):
        path = folder / pattern
        return path.is_file() and path.stat().st_size > 0
    try:
        with os.scandir(folder) as entries:
            return any(fnmatchcase(entry.name, pattern) and entry.is_file() for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def lacks(root: Path, file: KnownFile, *, unpacked: bool = False) -> list[str]:
    """The missing parts of a known file: names or patterns, relative to its folder.

    Args:
        root: the folder of the data.
        file: the file as it is published.
        unpacked: an archive that can be read as it is does not count.
    """
    if file.kept_as and not unpacked and (root / file.kept_as).is_file():
        return []
    if file.is_part:
        return [] if (root / file.folder / file.marker).exists() else list(file.holds)
    return [pattern for pattern in file.holds if not holds(root / file.folder, pattern)]


def find_partitions(root: Path, dataset: KnownDataset) -> Mapping[str, list[str]]:
    """For each partition, the files that are absent: an empty list means that it can be read.

    Args:
        root: the folder of the data.
        dataset: its annotations are looked for in the folder of its name.
    """
    folder = root / dataset.name
    return {
        partition: [pattern for pattern in needs if not holds(folder, pattern)]
        for partition, needs in dataset.needs.items()
    }


def has_parquet(root: Path, dataset: KnownDataset) -> bool:
    """Whether the annotations are there as the parquet files of the Hugging Face hub."""
    folder = root / dataset.name
    return holds(folder, "*.parquet") or holds(folder / "data", "*.parquet")


def find_images(root: Path, image_set: ImageSet, dataset: str = "") -> ImagesPresent | None:
    """The images of a set, in the first of the usual places that has any.

    Args:
        root: the folder of the data.
        image_set: what to look for.
        dataset: name of a data set, for people who keep images by data set.
    """
    for name in image_set.folders:
        if "{dataset}" in name and not dataset:
            continue
        folder = root / name.format(dataset=dataset)
        if folder.is_dir() and (images := _count(folder, image_set.pattern)):
            return ImagesPresent(folder, images)
    for name in image_set.archives:
        if (archive := root / name).is_file():
            return _look_into(archive, image_set.pattern)
    return None


def images_of(dataset: KnownDataset) -> ImageSet | None:
    """The set of images that a data set lies on; None for the built-in set."""
    return None if dataset.image_set is None else IMAGE_SETS[dataset.image_set]


def _count(folder: Path, pattern: str) -> int:
    with os.scandir(folder) as entries:
        return sum(fnmatchcase(entry.name, pattern) for entry in entries)


def _look_into(archive: Path, pattern: str) -> ImagesPresent:
    try:
        with zipfile.ZipFile(archive) as content:
            names = [Path(name).name for name in content.namelist()]
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        return ImagesPresent(archive, 0, f"{archive} cannot be read ({error})")
    return ImagesPresent(archive, sum(fnmatchcase(name, pattern) for name in names))
