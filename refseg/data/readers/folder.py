"""The reader of one's own data: a folder with images and one table of expressions and masks."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from refseg.data.formats import TABLES
from refseg.data.readers.builder import TableBuilder, has_word
from refseg.data.readers.folder_images import FolderImage, FolderImages
from refseg.data.readers.folder_references import (
    MOST_EXPRESSIONS,
    FolderLine,
    FolderReferences,
)
from refseg.data.readers.json_files import parse_json
from refseg.data.readers.mask_files import read_mask_file
from refseg.data.readers.named_files import NamedFiles
from refseg.data.readers.records import BadRecords, OnBadRecord, shown
from refseg.data.readers.segmentations import encode_object
from refseg.data.readers.tables import Line, read_csv, read_jsonl
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path
from refseg.masks import empty, encode
from refseg.types import RunLengths

_LONGEST_PATH = 1000
_ID = re.compile(r"[0-9]{1,15}")


def read_folder(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
    outside_files: bool = False,
) -> References:
    """Read one's own data: images, and a table with a line for each object that is described.

    The table is `annotations.csv` (a header; commas, semicolons or tabs) or `annotations.jsonl` (a
    JSON object on each line), in UTF-8. Lines with the same image and the same mask, in whichever
    form, are expressions of one reference: they must agree in split and category. Its columns:

    - `image`: path of the image, relative to the folder or to its `images`. A photograph is turned
      upright as its EXIF orientation says, unless its masks have the size as stored. In paths, of
      masks too, a backslash separates folders, as Windows writes it.
    - `expression`: a sentence; or, in JSON, `expressions`: a list of sentences for the same object.
    - `mask`: path of a PNG of the image's size, in which the object is what is not black; or COCO
      run lengths `{"size": [height, width], "counts": …}`; or polygons `[[x, y, x, y, …], …]` in
      pixels; or `[]` for an expression that names nothing in the image. A PNG that is black all
      over names nothing, too, which `References.notes` tells; polygons and run lengths that cover
      no pixel are a slip.
    - `split` (optional): any name; `train` where it is empty.
    - `id` (optional): a whole number, the reference's id; by default the number of its first
      record, from 1. Lines with the same mask and different ids are references to one object. An
      expression has the id of its own record; where the file has lists of expressions, or an id on
      several lines, id × 1000 + its place among them, from 0.
    - `category` (optional): what kind of thing the object is, in words (at most 100 characters):
      `refseg compare --by category` and `refseg report` break figures down by it.

    Sentences stay as they were typed, without the space around them.

    Args:
        root: the folder of the data.
        dataset: name of the folder under `root` that has the table; `.` for `root` itself.
        split_by: there is one partition, so there is nothing to choose.
        on_bad_record: `error` raises at the first bad line, `skip` leaves it out.
        outside_files: take files that lie outside of the folder, too (`../photo.jpg`, an absolute
            path, `~/photo.jpg`): only where the table is trusted.

    Raises:
        DataError: a file is missing or broken, or a line is not as described; names the line.
    """
    folder = as_path(root) / dataset
    paths = [folder / name for name in TABLES if (folder / name).is_file()]
    if len(paths) != 1:
        raise DataError(
            f"{folder}: expected one of the files {' and '.join(TABLES)}, got "
            f"{'both' if paths else 'none'}."
        )
    if split_by is not None:
        raise DataError(f"{folder} has one partition only; leave --data.split_by out.")
    (path,) = paths
    table = TableBuilder(folder.resolve().name)
    files = NamedFiles(folder, outside_files)
    bad, masks = BadRecords(on_bad_record), _Masks(files)
    if path.suffix == ".csv":
        lines = read_csv(path, ("image", "expression", "mask"), bad)
    else:
        lines = read_jsonl(path, bad)
    images, references = FolderImages(files, lines), FolderReferences(_has_places(lines))
    for line in lines:
        record, values = line.record, line.values
        with bad.guard():
            image = images.find(_path(values, "image", record), record)
            mask = masks.find(values, image, record)
            references.add(
                FolderLine(
                    record,
                    line.number,
                    _id(line),
                    _expressions(values, record),
                    image.image_id,
                    image.path,
                    mask,
                    _split(values, record),
                    _category(values, record),
                )
            )
    if not lines and not bad.messages:
        raise DataError(f"{path} has no line of data.")
    references.build(table, bad)
    table.consult(files.consulted)
    return table.build(bad, masks.notes)


class _Masks:
    """The masks of the lines; files that are black are counted."""

    def __init__(self, files: NamedFiles) -> None:
        self._files = files
        self._black: list[str] = []
        self._read: dict[tuple[str, str], RunLengths] = {}

    def find(self, values: Mapping[str, object], image: FolderImage, record: str) -> RunLengths:
        """The mask of a line, empty where the line says so, or where its file is black."""
        mask = values.get("mask")
        if isinstance(mask, str) and mask.strip()[:1] in ("[", "{"):
            mask = parse_json(mask, f"{record}: mask")
        if isinstance(mask, str) and mask.strip():
            return self._from_file(_path(values, "mask", record), image, record)
        if mask == []:
            return empty(image.height, image.width)
        if not isinstance(mask, list | dict):
            raise DataError(
                f"{record}: expected 'mask' to be the path of a PNG, run lengths or polygons (or "
                f"[] where nothing is meant), got {shown(mask)}."
            )
        return encode_object(mask, image.height, image.width, record)

    def _from_file(self, name: str, image: FolderImage, record: str) -> RunLengths:
        key = (name, image.path)
        if key not in self._read:  # the lines of an object name the same file
            path = self._files.find(name, record)
            pixels = read_mask_file(path, image.height, image.width, record)
            self._read[key] = encode(pixels)
        if self._read[key] == empty(image.height, image.width):
            self._black.append(f"{record}: the mask {name}")
        return self._read[key]

    @property
    def notes(self) -> list[str]:
        """One note about all files that are black."""
        if not self._black:
            return []
        first, *others = self._black
        if not others:
            return [f"{first} is black, so that its expression names nothing."]
        return [f"{first} is black, like {len(others):,} others: their expressions name nothing."]


def _has_places(lines: Sequence[Line]) -> bool:
    """Whether an id stands for several expressions: in a list, or on several lines."""
    values = [line.values.get("id") for line in lines]
    ids = [str(value).strip() for value in values if value not in (None, "")]
    return len(ids) > len(set(ids)) or any("expressions" in line.values for line in lines)


def _id(line: Line) -> int | None:
    value = line.values.get("id")
    if value is None or value == "":
        return None
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _ID.fullmatch(text.strip()):
        raise DataError(
            f"{line.record}: expected 'id' to be a whole number from 0 to 10^15, got "
            f"{shown(value)}."
        )
    return int(text)


def _split(values: Mapping[str, object], record: str) -> str:
    if not values.get("split"):
        return "train"
    name = _text(values, "split", record)
    if len(name) > 100 or "|" in name:
        raise DataError(
            f"{record}: expected 'split' to be a short name without '|', got {shown(name)}."
        )
    return name


def _category(values: Mapping[str, object], record: str) -> str | None:
    if not values.get("category"):
        return None
    name = _text(values, "category", record)
    if len(name) > 100:
        raise DataError(f"{record}: expected 'category' to be a short name, got {shown(name)}.")
    return name


def _text(values: Mapping[str, object], name: str, record: str) -> str:
    if name not in values:
        raise DataError(f"{record}: '{name}' is missing.")
    return _checked_text(values[name], name, record).strip()


def _path(values: Mapping[str, object], name: str, record: str) -> str:
    text = _text(values, name, record)
    if len(text) > _LONGEST_PATH:
        raise DataError(f"{record}: expected '{name}' to be a path, got {shown(text)}.")
    return text


def _checked_text(value: object, name: str, record: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{record}: expected '{name}' to be a text, got {shown(value)}.")
    return value.encode("utf-8", "replace").decode("utf-8")  # lone surrogates


def _expressions(values: Mapping[str, object], record: str) -> list[str]:
    expressions = values.get("expressions", [values.get("expression")])
    if "expressions" in values and "expression" in values:
        raise DataError(f"{record}: expected either 'expression' or 'expressions', got both.")
    if not isinstance(expressions, list) or not 0 < len(expressions) <= MOST_EXPRESSIONS:
        raise DataError(
            f"{record}: expected 'expressions' to be a list of texts, got {shown(expressions)}."
        )
    texts = [_checked_text(text, "expression", record) for text in expressions]
    for text in texts:
        if not has_word(text):
            raise DataError(f"{record}: its expression {text[:60]!r} has no word.")
    return texts
