"""CVAT's export "CVAT for images 1.1": polygons and masks in XML, with attributes."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Int64

from refseg.data.label_tools.labelled import SENTENCES, LabelledObject, sentences
from refseg.data.readers.records import BadRecords, shown
from refseg.data.readers.segmentations import encode_object
from refseg.errors import DataError
from refseg.masks import MAX_PIXELS, check_size, encode, union
from refseg.types import RunLengths

_WITHOUT_MASK = {"box", "polyline", "points", "ellipse", "cuboid", "skeleton", "tag"}


def read_labels(content: bytes, path: Path, bad: BadRecords) -> Iterator[LabelledObject]:
    """The polygons and masks of an export; those of one group are one object.

    What is said of an object stands in its attribute `expression` or `caption` (or their plurals),
    of which each object of a group may have its own.

    Args:
        content: of the file.
        path: of the file, for messages.
        bad: what becomes of bad records.

    Raises:
        DataError: it is not XML of this format, or declares a document type.
    """
    root = _parsed(content, path)
    if root.tag != "annotations":
        raise DataError(f"{path}: expected the XML of CVAT (annotations), got <{root.tag[:40]}>.")
    if root.find("track") is not None:
        raise DataError(f"{path} is of CVAT for video; export it as 'CVAT for images 1.1'.")
    version = root.findtext("version", "1.1").strip()
    if version != "1.1":
        raise DataError(f"{path}: expected version 1.1 of CVAT's XML, got {shown(version)}.")
    for image in root.iter("image"):
        name = image.get("name", "")
        where = f"{path}, image {image.get('id')} ({name})"
        with bad.guard():
            if not name:
                raise DataError(f"{where}: its name is missing.")
            height, width = (_number(image, key, where) for key in ("height", "width"))
            check_size(height, width, where)
            for record, shapes in _objects(image, where, bad):
                with bad.guard():
                    yield _labelled(record, shapes, name, height, width)


def _parsed(content: bytes, path: Path) -> ElementTree.Element:
    builder = _NoDocumentType()
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=builder))
    except _DocumentTypeError:
        raise DataError(
            f"{path} declares a document type (<!DOCTYPE …>), which CVAT never writes; export it "
            "again."
        ) from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: this is not complete XML ({error}); export it again.") from None


class _DocumentTypeError(Exception):
    pass


class _NoDocumentType(ElementTree.TreeBuilder):
    """Refuses a document type, without which there are no entities that grow or name files."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _DocumentTypeError


def _objects(
    image: ElementTree.Element, where: str, bad: BadRecords
) -> Iterator[tuple[str, list[ElementTree.Element]]]:
    """The shapes of an image, those of a group together."""
    found: dict[str, tuple[str, list[ElementTree.Element]]] = {}
    for number, shape in enumerate(image):
        record = f"{where}, {shape.tag} number {number}"
        with bad.guard():
            if shape.tag in {"polygon", "mask"}:
                group = shape.get("group_id", "0")
                key = record if group == "0" else f"group {group}"
                found.setdefault(key, (record, []))[1].append(shape)
            elif shape.tag in _WITHOUT_MASK and _said(shape):
                raise DataError(f"{record}: a {shape.tag} is no mask; draw a polygon or a mask.")
    yield from found.values()


def _said(shape: ElementTree.Element) -> list[str | None]:
    return [each.text for each in shape.iter("attribute") if each.get("name") in SENTENCES]


def _labelled(
    record: str, shapes: list[ElementTree.Element], name: str, height: int, width: int
) -> LabelledObject:
    mask = union([_mask(shape, height, width, record) for shape in shapes])
    return LabelledObject(
        record,
        name,
        (name,),
        height,
        width,
        {"size": [height, width], "counts": mask.counts.decode("ascii")},
        sentences([text for shape in shapes for text in _said(shape)], record),
        shapes[0].get("label"),
    )


def _mask(shape: ElementTree.Element, height: int, width: int, record: str) -> RunLengths:
    if shape.tag == "polygon":
        try:
            points = shape.get("points", "").replace(";", ",").split(",")
            polygon = [float(number) for number in points]
        except ValueError:
            raise DataError(
                f"{record}: expected points x,y;x,y;… in pixels, got {shown(shape.get('points'))}."
            ) from None
        return encode_object([polygon], height, width, record)
    left, top, columns, rows = (
        _number(shape, key, record) for key in ("left", "top", "width", "height")
    )
    if not (0 <= left <= left + columns <= width and 0 <= top <= top + rows <= height):
        raise DataError(
            f"{record}: its box of {columns} × {rows} pixels at ({left}, {top}) leaves the image "
            f"of {width} × {height} pixels."
        )
    mask = np.zeros((height, width), dtype=bool)
    # Row by row within the box, unlike COCO's run lengths; the first ones are of the background.
    lengths = _lengths(shape.get("rle", ""), record)
    if lengths.sum() != rows * columns:
        raise DataError(
            f"{record}: expected run lengths that add up to the {rows * columns:,} pixels of its "
            f"box, got {lengths.sum():,}."
        )
    runs = np.arange(len(lengths)) % 2 == 1
    mask[top : top + rows, left : left + columns] = np.repeat(runs, lengths).reshape(rows, columns)
    return encode(mask)


def _lengths(text: str, record: str) -> Int64[np.ndarray, " runs"]:
    try:
        lengths = np.array([int(number) for number in text.split(",")], np.int64)
    except (ValueError, OverflowError):
        lengths = np.array([-1])
    if lengths.min() < 0 or lengths.max() > MAX_PIXELS:
        raise DataError(f"{record}: expected its run lengths as numbers, got {shown(text)}.")
    return lengths


def _number(element: ElementTree.Element, key: str, record: str) -> int:
    text = element.get(key, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise DataError(f"{record}: expected '{key}' to be a whole number, got {shown(text)}.")
    return int(text)
