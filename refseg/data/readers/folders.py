"""Which files lie where: data sets are unpacked into many layouts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from refseg.errors import DataError


def existing_folders(bases: Iterable[Path], patterns: Iterable[str]) -> list[Path]:
    """The folders that exist, in the order of the patterns.

    Args:
        bases: folders in which to look.
        patterns: relative paths, in which `*` stands for any name.
    """
    bases = list(bases)
    found = [
        folder
        for pattern in patterns
        for base in bases
        for folder in sorted(base.glob(pattern))
        if folder.is_dir()
    ]
    return list(dict.fromkeys(found))


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


def folder_with(root: Path, dataset: str, pattern: str, names: Sequence[str]) -> Path | None:
    """The folder of a data set: `root/dataset`, or `root` itself where its files lie there.

    The files in `root` itself count only if the data set is asked for by the name of its format or
    of the folder, so that a slip in the name never reads another data set.

    Args:
        root: the folder of the data.
        dataset: its name, as the user gave it.
        pattern: of a file that only this format has.
        names: what the format's data set is called, in lower case.
    """
    if any((root / dataset).glob(pattern)):
        return root / dataset
    if dataset.lower() in {*names, root.resolve().name.lower()} and any(root.glob(pattern)):
        return root
    return None
