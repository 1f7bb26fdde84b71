"""Label Studio's export "JSON": tasks with polygons and brushes, and the texts beside them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from refseg.data.label_tools.brush import decode_brush
from refseg.data.label_tools.labelled import LabelledObject, sentences
from refseg.data.readers.records import BadRecords, get, shown
from refseg.errors import DataError
from refseg.masks import check_size, encode

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio writes in front of the name of an uploaded file."""

_IMAGE_KEYS = ("image", "img", "picture", "photo", "url")
_WITHOUT_MASK = {"rectangle", "ellipse", "keypoint", "vector"}
_TEXT = {"textarea": "text", "choices": "choices"}


def read_labels(content: Sequence[object], path: Path, bad: BadRecords) -> Iterator[LabelledObject]:
    """The regions of an export, each with the texts that belong to it.

    Regions are polygons (`Polygon`, `PolygonLabels`) and brushes (`Brush`, `BrushLabels`). What is
    said of one stands in a `TextArea` or in `Choices` that are `perRegion`, which have the id of
    the region, or in the region's own `meta`. A text of the whole image belongs to the one region
    of its annotation. Cancelled annotations do not count.

    Args:
        content: the list of tasks.
        path: of the file, for messages.
        bad: what becomes of bad records.
    """
    for number, task in enumerate(content):
        with bad.guard():
            where = f"{path}, task number {number}"
            data = get(task, "data", dict, where)
            assert isinstance(task, dict)  # `get` has looked
            if "id" in task:
                where += f" (id {task['id']})"
            image = _image(data, where)
            results = [
                get(annotation, "result", list, f"{where}, an annotation")
                for annotation in _annotations(task, where)
                if not (isinstance(annotation, dict) and annotation.get("was_cancelled"))
            ]
            for result in results:
                yield from _regions(result, image, where, bad)


def _annotations(task: Mapping[str, object], where: str) -> list[object]:
    name = "completions" if "completions" in task and "annotations" not in task else "annotations"
    return get(task, name, list, where)


def _image(data: Mapping[str, object], where: str) -> str:
    for key in (*_IMAGE_KEYS, *data):
        value = data.get(key)
        if isinstance(value, str) and value and (key in _IMAGE_KEYS or len(data) == 1):
            return value
    raise DataError(
        f"{where}: expected its image under 'image' (or {', '.join(_IMAGE_KEYS[1:])}) in 'data', "
        f"got {shown(dict(data))}."
    )


def file_names(image: str) -> tuple[str, ...]:
    """The files that an address of Label Studio can mean, the likeliest first.

    Uploaded files have eight signs in front of their name, local ones are named behind `?d=`, and
    those in a bucket have its name in front.

    Example:
        >>> file_names("/data/upload/3/0a1b2c3d-dog.jpg")[-2:]
        ('0a1b2c3d-dog.jpg', 'dog.jpg')
        >>> file_names("/data/local-files/?d=pets/dog%201.jpg")
        ('pets/dog 1.jpg', 'dog 1.jpg')
    """
    parts = urlsplit(image)
    named = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    pieces = [
        piece for piece in named.replace("\\", "/").split("/") if piece not in ("", ".", "..")
    ]
    names = ["/".join(pieces[start:]) for start in range(len(pieces))]
    if names:
        names.append(_UPLOADED.sub("", pieces[-1], count=1))
    return tuple(dict.fromkeys(names))


def _regions(
    result: Sequence[object], image: str, where: str, bad: BadRecords
) -> Iterator[LabelledObject]:
    texts: dict[str, list[object]] = {}
    typed: dict[str, list[object]] = {}
    categories: dict[str, str] = {}
    regions: dict[str, Mapping[str, object] | None] = {}  # None: of another kind than these
    for number, item in enumerate(result):
        with bad.guard():
            record = f"{where}, result number {number}"
            kind = get(item, "type", str, record)
            assert isinstance(item, dict)  # `get` has looked
            if kind == "relation":
                continue
            own = str(item.get("id", f"number {number}"))
            if kind in _TEXT:
                value = get(item, "value", dict, record)
                texts.setdefault(own, []).append(value.get(_TEXT[kind]))
                if kind == "textarea":
                    typed.setdefault(own, []).append(value.get(_TEXT[kind]))
                continue
            regions.setdefault(own, None)
            value = get(item, "value", dict, record)
            if kind.removesuffix("labels") in {"polygon", "brush"}:
                regions[own] = regions[own] or item
            elif kind.removesuffix("labels") in _WITHOUT_MASK:
                raise DataError(f"{record}: a {kind} is no mask; draw a polygon or use the brush.")
            labels = value.get(kind if kind.endswith("labels") else "labels")
            if isinstance(labels, list) and labels and isinstance(labels[0], str):
                categories.setdefault(own, labels[0])
    of_image = [text for own, each in typed.items() if own not in regions for text in each]
    for own, item in regions.items():
        if item is None:
            continue
        with bad.guard():
            record = f"{where}, region {own}"
            meta = item.get("meta")
            said = [*texts.get(own, []), meta.get("text") if isinstance(meta, dict) else None]
            said += of_image if len(regions) == 1 else []
            yield _labelled(item, image, sentences(said, record), categories.get(own), record)


def _labelled(
    item: Mapping[str, object],
    image: str,
    expressions: tuple[str, ...],
    category: str | None,
    record: str,
) -> LabelledObject:
    height = get(item, "original_height", int, record)
    width = get(item, "original_width", int, record)
    check_size(height, width, record)
    if item.get("image_rotation"):
        raise DataError(
            f"{record}: its image was turned by {item['image_rotation']}° in Label Studio; turn "
            "the file itself, and label it as it is."
        )
    value = get(item, "value", dict, record)
    if str(item["type"]).startswith("brush"):
        mask = encode(decode_brush(get(value, "rle", list, record), height, width, record))
        counts = mask.counts.decode("ascii")
        segmentation: object = {"size": [height, width], "counts": counts}
    else:
        segmentation = [_polygon(get(value, "points", list, record), height, width, record)]
    return LabelledObject(
        record, image, file_names(image), height, width, segmentation, expressions, category
    )


def _polygon(points: list[object], height: int, width: int, record: str) -> list[float]:
    """From percent of width and height to pixels."""
    polygon: list[float] = []
    for point in points:
        if not isinstance(point, list) or [type(x) in (int, float) for x in point] != [True] * 2:
            raise DataError(f"{record}: expected points [x, y] in percent, got {shown(point)}.")
        polygon += (point[0] * width / 100, point[1] * height / 100)
    return polygon
