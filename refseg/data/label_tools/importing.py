"""From the export of a label tool to a folder with images and `annotations.jsonl`."""

import filecmp
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from refseg.data.formats import TABLES
from refseg.data.images import image_exists, read_orientation
from refseg.data.label_tools import coco, cvat, label_studio
from refseg.data.label_tools.labelled import LabelledObject
from refseg.data.orientation import Size
from refseg.data.readers.builder import has_word
from refseg.data.readers.folder_references import MOST_EXPRESSIONS
from refseg.data.readers.json_files import parse_json, read_text
from refseg.data.readers.records import BadRecords
from refseg.data.readers.segmentations import encode_object
from refseg.errors import ConfigError, DataError
from refseg.files import replacing, write_text

TABLE = "annotations.jsonl"
KNOWN = (
    "COCO's instances.json with a caption or an expression in its annotations, Label Studio's "
    "JSON, CVAT for images 1.1 (XML)"
)
_IMAGES = "images"


class Imported(NamedTuple):
    """What an import has made.

    Args:
        title: of the format.
        table: the file that was written.
        objects: number of its lines.
        expressions: number of the sentences in it.
        images: number of the images that it names.
        silent: records of objects of which nothing is said.
        bad: why records cannot be used.
    """

    title: str
    table: Path
    objects: int
    expressions: int
    images: int
    silent: Sequence[str]
    bad: Sequence[str]


def import_labels(
    file: Path,
    output: Path,
    images: Path | None = None,
    split: str | None = None,
    overwrite: bool = False,
) -> Imported:
    """Make one's own data, as `read_folder` reads them, of what a label tool has exported.

    Images that lie in `output` are named where they are; others are copied into its `images`.

    Args:
        file: the export.
        output: folder to write `annotations.jsonl` into.
        images: folder of the images; None: `output`, its `images`, or the same beside the export.
        split: name of the split that all objects belong to; None: the reader's, `train`.
        overwrite: replace a table that is there.

    Raises:
        ConfigError: there is a table in the folder, or the split has no name that can be.
        DataError: the file is of no known format, or no record of it can be used.
    """
    for name in TABLES:
        if (output / name).exists() and not (overwrite and name == TABLE):
            raise ConfigError(
                f"{output / name} is there already; choose another --output"
                + (", or --overwrite." if name == TABLE else ".")
            )
    if split is not None and (not split.strip() or len(split) > 100 or "|" in split):
        raise ConfigError(f"Expected a short name without '|' for --split, got {split[:110]!r}.")
    bad = BadRecords("skip")
    title, objects = read_export(file, bad)
    folders = [output, output / _IMAGES, file.parent, file.parent / _IMAGES]
    found = _Images(folders if images is None else [images], output)
    silent: list[str] = []
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for each in objects:
        if not each.expressions:
            silent.append(each.record)
            continue
        with bad.guard():
            image, line = _line(each, found)
            said = lines.setdefault((image, json.dumps(line["mask"])), line)["expressions"]
            said += [text for text in line["expressions"] if text not in said]
    if not lines:
        reasons = [*bad.messages, *(f"{record}: nothing is said of it." for record in silent)]
        raise DataError(
            f"{file} ({title}): expected objects with masks and sentences, got none"
            + (f". The first record: {reasons[0]}" if reasons else ".")
        )
    more = {} if split is None else {"split": split}
    text = "".join(json.dumps(line | more, ensure_ascii=False) + "\n" for line in lines.values())
    write_text(output / TABLE, text.encode("utf-8", "replace").decode("utf-8"))
    return Imported(
        title,
        output / TABLE,
        len(lines),
        sum(len(line["expressions"]) for line in lines.values()),
        len({image for image, _ in lines}),
        silent,
        bad.messages,
    )


def read_export(file: Path, bad: BadRecords) -> tuple[str, Iterator[LabelledObject]]:
    """The format of an export, and its objects.

    Args:
        file: the export.
        bad: what becomes of bad records.

    Raises:
        DataError: it cannot be read, or is of no known format.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror or error}; check the path.") from None
    if content[:2] == b"PK":
        raise DataError(f"{file} is a zip file; unpack it, and name the file of annotations in it.")
    if content.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] == b"<":
        return "CVAT", cvat.read_labels(content, file, bad)
    value = parse_json(read_text(file), str(file))
    if isinstance(value, dict) and {"images", "annotations"} <= value.keys():
        return "COCO", coco.read_labels(value, file, bad)
    if isinstance(value, list) and any(isinstance(each, dict) and "data" in each for each in value):
        return "Label Studio", label_studio.read_labels(value, file, bad)
    raise DataError(f"{file} is of no known format; expected {KNOWN}.")


def _line(labelled: LabelledObject, images: "_Images") -> tuple[str, dict[str, Any]]:
    """The name of the image in the table, and the line."""
    record, height, width = labelled.record, labelled.height, labelled.width
    for text in labelled.expressions:
        if not has_word(text):
            raise DataError(f"{record}: its sentence {text[:60]!r} has no word.")
    if len(labelled.expressions) > MOST_EXPRESSIONS:
        raise DataError(f"{record}: expected at most {MOST_EXPRESSIONS:,} sentences of an object.")
    source, name = images.find(labelled)
    mask: object = []
    if labelled.segmentation != []:
        encoded = encode_object(labelled.segmentation, height, width, record)
        mask = {"size": [height, width], "counts": encoded.counts.decode("ascii")}
    named = images.take(source, name)
    category = (labelled.category or "").strip()[:100]
    line = {"image": named, "expressions": [*labelled.expressions], "mask": mask}
    return named, line | ({"category": category} if category else {})


class _Images:
    """Finds the images of an export, and brings them to their places.

    Args:
        folders: to look in, the first one first.
        output: the folder of the table.
    """

    def __init__(self, folders: Sequence[Path], output: Path) -> None:
        self._folders, self._output = folders, output
        self._sizes: dict[Path, tuple[Size, Size]] = {}
        self._taken: dict[Path, str] = {}

    def find(self, labelled: LabelledObject) -> tuple[Path, str]:
        """The file of an object's image, and its name in the folder where it was found.

        Raises:
            DataError: it is nowhere, is no image, or has another size than it had in the tool.
        """
        names = [_inner(name) for name in labelled.names]
        places = ((folder / name, name) for name in names if name for folder in self._folders)
        found = next(((path, name) for path, name in places if image_exists(path)), None)
        if found is None:
            tried, folders = " and ".join(filter(None, names)), ", ".join(map(str, self._folders))
            raise DataError(
                f"{labelled.record}: its image {labelled.image[:200]!r} is absent; looked for "
                f"{tried} in {folders}. Name the folder of the images with --images."
            )
        path, name = found
        if path not in self._sizes:
            orientation = read_orientation(path)
            self._sizes[path] = (orientation.upright, orientation.stored)
        told = (labelled.height, labelled.width)
        if told not in {(size[0], size[1]) for size in self._sizes[path]}:
            height, width = self._sizes[path][0]
            raise DataError(
                f"{labelled.record}: it was labelled on {told[1]} × {told[0]} pixels, but {path} "
                f"has {width} × {height}; name the folder of the labelled images with --images."
            )
        return path, name

    def take(self, source: Path, name: str) -> str:
        """The path of an image relative to the table's folder, in which it lies from now on.

        Args:
            source: the file.
            name: of it.
        """
        if source not in self._taken:
            self._taken[source] = self._place(source, name)
        return self._taken[source]

    def _place(self, source: Path, name: str) -> str:
        here = self._output.absolute()
        if source.absolute().is_relative_to(here):
            return source.absolute().relative_to(here).as_posix()
        wanted = PurePosixPath(_IMAGES, name)
        number = 1
        place = wanted
        while (self._output / place).exists():
            if filecmp.cmp(source, self._output / place, shallow=False):
                return str(place)
            number += 1
            place = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        with replacing(self._output / place) as temporary:
            shutil.copyfile(source, temporary)
        return str(place)


def _inner(name: str) -> str:
    """A name that stays within a folder: of paths that lead elsewhere, the last part."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts:
        return "" if path.name == ".." else path.name
    return "" if str(path) == "." else str(path)
