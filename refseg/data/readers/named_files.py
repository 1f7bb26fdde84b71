"""The files that annotations name: within their folder, with slashes or backslashes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath

from refseg.data.images import image_exists
from refseg.errors import DataError
from refseg.files import as_path


def spellings(name: str) -> Iterator[str]:
    r"""A name as it is written, then with the separators of Windows as those of other systems.

    Example:
        >>> list(spellings(r"masks\0.png")), list(spellings("masks/0.png"))
        (['masks\\0.png', 'masks/0.png'], ['masks/0.png'])
    """
    yield name
    if "\\" in name:
        yield name.replace("\\", "/")


def image_in(folder: Path, name: str) -> Path:
    """The path of an image by its name in a folder, which may be one within a zip file.

    A backslash separates folders, as Windows writes them, unless there is a file of that very name.

    Args:
        folder: of the images.
        name: relative to it.
    """
    *others, last = (folder / spelling for spelling in spellings(name))
    return next((path for path in others if image_exists(path)), last)


class NamedFiles:
    """Finds the files that a table of one's own names.

    A table may come from anywhere: a name that leads out of its folder (`../../photo.jpg`, an
    absolute path) would let it show any file of this machine, and is refused unless the user says
    otherwise. What a link in the folder leads to is the user's doing.

    Args:
        folder: that has the table.
        outside_files: take names that lead out of the folder, too; `~` is the home folder.

    Attributes:
        consulted: the places of files that may lie outside of the folder.
    """

    def __init__(self, folder: Path, outside_files: bool = False) -> None:
        self._folder, self._outside_files = folder, outside_files
        self.consulted: set[Path] = set()
        self._tops = tuple(f"{top}{os.sep}" for top in (folder.absolute(), folder.resolve()))

    def find(self, name: str, record: str, inside: Sequence[str] = ("",)) -> Path:
        """The file of a name, or the path where it should be.

        A backslash separates folders, as Windows writes them, unless there is a file of that very
        name.

        Args:
            name: as the table has it.
            record: file and line, for messages.
            inside: folders that it may be relative to, themselves relative to the table's.

        Raises:
            DataError: the name leads out of the folder.
        """
        places = [self._place(spelling, start) for spelling in spellings(name) for start in inside]
        allowed = [place for place in places if place is not None]
        if self._outside_files:
            self.consulted.update(allowed)
        # os.path, as Path raises where a name is too long
        found = next((place for place in allowed if os.path.isfile(place)), None)  # noqa: PTH113
        if found is not None:
            return found
        expected = places[-len(inside)]
        if expected is None:
            raise DataError(
                f"{record}: the path {name[:200]!r} leads out of {self._folder}; put the file "
                "there, or take files from anywhere with --data.outside_files true."
            )
        return expected

    def _place(self, name: str, start: str) -> Path | None:
        """Where a name leads; None where that is not allowed."""
        if self._outside_files:
            return self._folder / start / as_path(name)
        if name.startswith(("/", "~/")) or PureWindowsPath(name).drive:
            place = os.path.normpath(name)
            return Path(place) if place.startswith(self._tops) else None
        # Without `..`, which would lead elsewhere where the folder before it is a link.
        inner = Path(os.path.normpath(Path(start, name)))
        return None if inner.parts[:1] == ("..",) else self._folder / inner
