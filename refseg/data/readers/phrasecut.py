"""The reader of PhraseCut: phrases on Visual Genome images, with several instances each."""

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from PIL import Image, ImageDraw

from refseg.data.formats import PHRASECUT_IMAGES, PHRASECUT_NAMES, folder_with
from refseg.data.images import read_orientation
from refseg.data.orientation import Orientation
from refseg.data.readers.builder import Sentence, TableBuilder, has_word
from refseg.data.readers.collector import paused_collector
from refseg.data.readers.json_files import iterate_json_list
from refseg.data.readers.places import ImageFiles
from refseg.data.readers.records import BadRecords, OnBadRecord, get, get_text, shown
from refseg.data.readers.segmentations import check_polygons
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path
from refseg.masks import FAR_OUTSIDE, check_size, encode
from refseg.types import RunLengths

SPLITS = ("train", "val", "test", "miniv")
IMAGE_FOLDERS = (
    "images",
    "images2",
    "images/VG_100K*",
    "VG_100K*",
    "images/phrasecut",
    "images/vg",
)
"""Where images are looked for, in the data set's folder and in the root."""

_LONGEST_NAME = 100
_TASK = re.compile(r"([0-9]{1,9})__([0-9]{1,7})")


_Point: TypeAlias = tuple[int | float, int | float]


class _Image(NamedTuple):
    path: str
    height: int
    width: int


@paused_collector()
def read_phrasecut(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read PhraseCut: `refer_{train,val,test,miniv}.json`, as many of them as are there.

    The file of `val` does not contain the 100 images of `miniv`: all of the validation set is the
    split `val_miniv`, as in the published loader. The mask is the union of all instances, drawn as
    the published evaluation draws it: corners cut to whole pixels, the outline included; what lies
    outside the image is clipped. A task `<image>__<k>` has the id image × 10⁷ + k; any other id is
    the first 63 bits of its SHA-256. There are no numbers of classes, so `category_ids` are empty:
    `category` is the name in the structure of the phrase ("car" of "blue car on the left").
    `annotation_ids` are Visual Genome's objects.

    The published size of 17 images is wrong. Where an image is there, its own size counts, and
    each correction is listed in `References.notes`.

    Args:
        root: the folder with the files, or with a folder `dataset` that has them.
        dataset: name of the folder, such as `phrasecut`.
        split_by: PhraseCut has one partition, so there is nothing to choose.
        on_bad_record: `error` raises at the first bad task, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.

    References:
        C. Wu et al., PhraseCut: Language-based Image Segmentation in the Wild, CVPR 2020,
        https://github.com/ChenyunWu/PhraseCutDataset.
    """
    root = as_path(root)
    folder = folder_with(root, dataset, PHRASECUT_IMAGES, PHRASECUT_NAMES)
    if folder is None:
        raise DataError(f"Neither {root / dataset} nor {root} has a file {PHRASECUT_IMAGES}.")
    if split_by is not None:
        raise DataError(f"{folder} has one partition only; leave --data.split_by out.")
    paths = {split: folder / f"refer_{split}.json" for split in SPLITS}
    table, bad = TableBuilder((root / dataset).resolve().name), BadRecords(on_bad_record)
    table.consult([folder, folder / PHRASECUT_IMAGES, *paths.values()])
    paths = {split: path for split, path in paths.items() if path.exists()}
    if not paths:
        raise DataError(f"{folder} has none of the files refer_{{{','.join(SPLITS)}}}.json.")
    images, notes = _read_images(folder, root, table, bad)
    for split, path in paths.items():
        for position, task in enumerate(iterate_json_list(path)):
            record = _record(path, task, position)
            with bad.guard():
                task_id = _number(get_text(task, "task_id", record))
                image_id = get(task, "image_id", int, record)
                if image_id not in images:
                    raise DataError(f"{record}: its image {image_id} is not in {PHRASECUT_IMAGES}.")
                image = images[image_id]
                raw = get_text(task, "phrase", record)
                if not has_word(raw):
                    raise DataError(f"{record}: its phrase {shown(raw)} has no word.")
                table.add(
                    record,
                    task_id,
                    [Sentence(task_id, " ".join(raw.lower().split()), raw)],
                    annotation_ids=_ids(get(task, "ann_ids", list, record), record),
                    category_ids=[],
                    category=_category(task),
                    image_id=image_id,
                    split=split,
                    image_path=image.path,
                    mask=_mask(task, image.height, image.width, record),
                )
    return table.build(bad, notes)


def _read_images(
    folder: Path, root: Path, table: TableBuilder, bad: BadRecords
) -> tuple[dict[int, _Image], list[str]]:
    """The images by id, and a note for each whose own size is not the published one."""
    path = folder / PHRASECUT_IMAGES
    files = ImageFiles(list(dict.fromkeys((folder, root))), IMAGE_FOLDERS)
    there: list[int] = []
    images: dict[int, _Image] = {}
    for position, image in enumerate(iterate_json_list(path)):
        record = f"{path}, image number {position}"
        with bad.guard():
            image_id = get(image, "image_id", int, record)
            size = get(image, "height", int, record), get(image, "width", int, record)
            check_size(*size, record)
            found = _Image(files.place(f"{image_id}.jpg"), *size)
            if images.setdefault(image_id, found) != found:
                raise DataError(f"{record}: an earlier image has the same id and differs.")
            if files.find(f"{image_id}.jpg") is not None:
                there.append(image_id)
    table.consult([*files.consulted, *(Path(images[image_id].path) for image_id in there)])
    notes = []
    for image_id, own in zip(there, _own_sizes(images[i].path for i in there), strict=True):
        image = images[image_id]
        if own is not None and not own.fits((image.height, image.width)):
            images[image_id] = _Image(image.path, *own.upright)
            notes.append(
                f"{path}, image {image_id}: {image.path} has {own.width} × {own.height} pixels, "
                f"not {image.width} × {image.height}; its own size was taken."
            )
    return images, notes


def _own_sizes(paths: Iterable[str]) -> list[Orientation | None]:
    """What the headers say; None where one is unreadable, which reading the image will say."""

    def own_size(path: str) -> Orientation | None:
        try:
            orientation = read_orientation(path)
            check_size(*orientation.upright, path)
        except DataError:
            return None
        return orientation

    with ThreadPoolExecutor(8) as pool:  # waiting for a disk takes longer than reading a header
        return list(pool.map(own_size, paths))


def _ids(ids: list[object], record: str) -> list[int]:
    if not all(type(number) is int and abs(number) < 2**63 for number in ids):
        raise DataError(f"{record}: expected whole numbers as ann_ids, got {shown(ids)}.")
    return cast("list[int]", ids)


def _number(task_id: str) -> int:
    match = _TASK.fullmatch(task_id)
    if match is not None:
        return int(match[1]) * 10**7 + int(match[2])
    return int.from_bytes(hashlib.sha256(task_id.encode()).digest()[:8], "big") >> 1


def _category(task: object) -> str | None:
    """The name of the class, where it is one; a phrase is of use without it."""
    structure = task.get("phrase_structure") if isinstance(task, dict) else None
    name = structure.get("name") if isinstance(structure, dict) else None
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        return None
    return " ".join(name.encode("utf-8", "replace").decode("utf-8").lower().split())


def _mask(task: object, height: int, width: int, record: str) -> RunLengths:
    canvas = Image.new("L", (width, height))
    pencil = ImageDraw.Draw(canvas)
    drawn: list[_Point] = []
    has_extent = False
    for instance in get(task, "Polygons", list, record):
        if not isinstance(instance, list):
            raise DataError(f"{record}: expected a list of polygons, got {shown(instance)}.")
        for polygon in instance:
            points = _points(polygon, FAR_OUTSIDE * max(height, width), record)
            if len(points) > 1:
                pencil.polygon([(int(x), int(y)) for x, y in points], fill=1, outline=1)
                drawn += points
                has_extent |= any(point != points[0] for point in points)
    if not has_extent:
        raise DataError(f"{record}: it has no polygon of at least two points that differ.")
    mask = np.asarray(canvas, np.bool_)
    xs, ys = (x for x, _ in drawn), (y for _, y in drawn)
    check_polygons(int(np.count_nonzero(mask)), xs, ys, height, width, record)
    return encode(mask)


def _points(polygon: object, limit: int, record: str) -> list[_Point]:
    points = []
    for point in polygon if isinstance(polygon, list) else [polygon]:
        if not (
            isinstance(point, list)
            and len(point) == 2
            and all(type(value) in (int, float) and -limit <= value <= limit for value in point)
        ):
            raise DataError(
                f"{record}: expected a polygon of points [x, y] in or near the image, got "
                f"{shown(point)}."
            )
        points.append((point[0], point[1]))
    return points


def _record(path: Path, task: object, position: int) -> str:
    task_id = task.get("task_id") if isinstance(task, dict) else None
    if isinstance(task_id, str):
        return f"{path}, task_id {shown(task_id)[4:]}"
    return f"{path}, record {position}"
