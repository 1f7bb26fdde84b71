"""The images of one's own folder: their paths, and the orientation they were annotated in."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from refseg.data.image_formats import open_image
from refseg.data.images import read_orientation
from refseg.data.orientation import Orientation, Size, orientation_of
from refseg.data.readers.json_files import parse_json
from refseg.data.readers.named_files import NamedFiles
from refseg.data.readers.tables import Line
from refseg.errors import DataError
from refseg.masks import check_size


class FolderImage(NamedTuple):
    """An image of the folder.

    Args:
        image_id: its number, from 0.
        path: of the file.
        height: of the picture that was annotated, pixels.
        width: of the picture that was annotated, pixels.
    """

    image_id: int
    path: str
    height: int
    width: int


class FolderImages:
    """Finds the images that a table names; each header is read once.

    A photograph with an EXIF orientation is taken upright, as people see it who draw masks, unless
    its masks have the size as stored and none has the upright one (`Orientation`).

    Args:
        files: that the table names.
        lines: of the table.
    """

    def __init__(self, files: NamedFiles, lines: Sequence[Line]) -> None:
        self._files, self._lines = files, lines
        self._found: dict[str, FolderImage] = {}
        self._by_path: dict[Path, FolderImage] = {}  # which may have several names
        self._masks: dict[str, list[object]] | None = None

    def find(self, name: str, record: str) -> FolderImage:
        """The image of a name in the table.

        Args:
            name: as the table has it.
            record: file and line, for messages.

        Raises:
            DataError: there is no such file, it is no image, or its name leads out of the folder.
        """
        if name not in self._found:
            path = self._files.find(name, record, ("", "images"))
            if path not in self._by_path:
                self._by_path[path] = self._read(name, path, record)
            self._found[name] = self._by_path[path]
        return self._found[name]

    def _read(self, name: str, path: Path, record: str) -> FolderImage:
        try:
            orientation = read_orientation(path)
        except (DataError, OSError, ValueError) as error:
            raise DataError(f"{record}: {error}") from None
        height, width = self._annotated_size(name, orientation)
        check_size(height, width, f"{record}: {path}")
        return FolderImage(len(self._by_path), str(path), height, width)

    def _annotated_size(self, name: str, orientation: Orientation) -> Size:
        if orientation.upright == orientation.stored:
            return orientation.upright
        if self._masks is None:  # photographs that are turned are rare
            self._masks = {}
            for line in self._lines:
                image = line.values.get("image")
                if isinstance(image, str):
                    self._masks.setdefault(image.strip(), []).append(line.values.get("mask"))
        told = {self._told_size(mask, orientation) for mask in self._masks.get(name, ())}
        is_stored = orientation.stored in told and orientation.upright not in told
        return orientation.stored if is_stored else orientation.upright

    def _told_size(self, mask: object, orientation: Orientation) -> Size | None:
        """The size of the picture that a mask was made on, as far as it can be told."""
        try:
            if isinstance(mask, str) and mask.strip()[:1] in ("[", "{"):
                mask = parse_json(mask, "a mask")
            if isinstance(mask, str):
                with open_image(self._files.find(mask.strip(), "a mask")) as image:
                    return orientation_of(image).upright
        except (DataError, OSError, SyntaxError, ValueError):
            return None  # reading the mask will say what is wrong
        parts = mask if isinstance(mask, list) else [mask]
        if parts and isinstance(parts[0], dict):
            size = parts[0].get("size")
            known = (orientation.upright, orientation.stored)
            return next((told for told in known if size == [*told]), None)
        return _told_by_polygons(parts, orientation)


def _told_by_polygons(polygons: list[object], orientation: Orientation) -> Size | None:
    """The stored size if the points of polygons fit it and not the upright size, else None."""
    numbers = [
        [value for value in polygon if isinstance(value, int | float)]
        for polygon in polygons
        if isinstance(polygon, list)
    ]
    right = max((max(values[0::2]) for values in numbers if len(values) > 1), default=0)
    bottom = max((max(values[1::2]) for values in numbers if len(values) > 1), default=0)
    (upright_height, upright_width), (height, width) = orientation.upright, orientation.stored
    lies_in_upright = right <= upright_width and bottom <= upright_height
    lies_in_stored = right <= width and bottom <= height
    return orientation.stored if lies_in_stored and not lies_in_upright else None
