"""The reader of the REFER layout: `refs(<split_by>).p`, `instances.json` and a folder of images."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from refseg.data.masks import encode_segmentation
from refseg.data.pickles import load_python2_pickle
from refseg.data.references import SCHEMA, References
from refseg.errors import DataError
from refseg.types import RunLengths

_T = TypeVar("_T")

IMAGE_FOLDERS = (
    "images/train2014",
    "images/mscoco/images/train2014",
    "train2014",
    "images/saiapr_tc-12",
    "images/{dataset}",
    "images",
)
"""Where images are looked for, relative to the root: the layouts in which people keep them."""


class _Image(NamedTuple):
    file_name: str
    height: int
    width: int


class _Annotation(NamedTuple):
    image_id: int
    segmentation: object


class _Instances(NamedTuple):
    images: dict[int, _Image]
    annotations: dict[int, _Annotation]


def read_refer(root: Path, dataset: str, split_by: str | None = None) -> References:
    """Read a data set in REFER layout, as RefCOCO, RefCOCO+ and RefCOCOg are published.

    Images are found through `image_id` and `instances.json`: the `file_name` of a reference carries
    the annotation's id as a suffix and names no file. All splits are read; `References.split`
    chooses.

    Args:
        root: the folder with `<dataset>/refs(<split_by>).p`, `<dataset>/instances.json` and the
            images.
        dataset: name of the folder with the annotations, such as `refcoco+`.
        split_by: who made the splits, such as `unc`, `google` or `umd`; may be left out where the
            folder has only one.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    refs_path, split_by = _find_refs(root, dataset, split_by)
    instances_path = root / dataset / "instances.json"
    instances = _read_instances(instances_path)
    refs = load_python2_pickle(refs_path)
    if not isinstance(refs, list) or not refs:
        raise DataError(f"{refs_path}: expected a list of references, got {_kind(refs)}.")

    folder = _find_images(root, dataset, instances)
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    masks: dict[int, RunLengths] = {}
    seen: set[int] = set()
    seen_expressions: set[int] = set()
    for position, ref in enumerate(refs):
        record = _record(refs_path, ref, position)
        reference_id = _get(ref, "ref_id", int, record)
        if reference_id in seen:
            raise DataError(f"{record}: this ref_id occurs twice.")
        seen.add(reference_id)
        annotation_id = _get(ref, "ann_id", int, record)
        image_id = _get(ref, "image_id", int, record)
        image = _image_of(instances, image_id, annotation_id, record, instances_path)
        if annotation_id not in masks:
            masks[annotation_id] = encode_segmentation(
                instances.annotations[annotation_id].segmentation,
                image.height,
                image.width,
                f"{record}: annotation {annotation_id} of {instances_path}",
            )
        same_for_all = {
            "source": f"{dataset} ({split_by})",
            "reference_id": reference_id,
            "annotation_ids": [annotation_id],
            "category_ids": [_get(ref, "category_id", int, record)],
            "image_id": image_id,
            "split": _text(ref, "split", record),
            "image_path": str(folder / image.file_name),
            "height": image.height,
            "width": image.width,
            "rle": masks[annotation_id].counts,
        }
        for expression_id, expression, raw in _sentences(ref, record):
            if expression_id in seen_expressions:
                raise DataError(f"{record}: the sent_id {expression_id} occurs twice.")
            seen_expressions.add(expression_id)
            row = {"expression_id": expression_id, "expression": expression, "raw": raw}
            for name, value in (same_for_all | row).items():
                columns[name].append(value)
    return References.from_columns(columns)


def _find_refs(root: Path, dataset: str, split_by: str | None) -> tuple[Path, str]:
    folder = root / dataset
    if not root.is_dir():
        raise DataError(
            f"The folder {root} is absent; give the folder of the data with --data.root."
        )
    if not folder.is_dir():
        folders = sorted(path.parent.name for path in root.glob("*/refs(*).p"))
        raise DataError(
            f"{root} has no folder '{dataset}' with annotations; "
            + (
                f"it has {', '.join(dict.fromkeys(folders))}"
                if folders
                else "it has none of this kind"
            )
            + ". Set --data.root and --data.dataset."
        )
    present = {path.name[5:-3]: path for path in sorted(folder.glob("refs(*).p"))}
    there = ", ".join(path.name for path in present.values())
    if not present:
        raise DataError(f"{folder} has no refs(*).p; put the annotations of {dataset} there.")
    if split_by is None:
        if len(present) > 1:
            raise DataError(
                f"{folder} has several partitions ({there} are there); choose one with "
                "--data.split_by."
            )
        (split_by,) = present
    if split_by not in present:
        verb = "is" if len(present) == 1 else "are"
        raise DataError(
            f"{folder} has no refs({split_by}).p; {there} {verb} there. Choose with "
            "--data.split_by."
        )
    return present[split_by], split_by


def _find_images(root: Path, dataset: str, instances: _Instances) -> Path:
    folders = [root / name.format(dataset=dataset) for name in IMAGE_FOLDERS]
    present = [folder for folder in folders if folder.is_dir()]
    if not present:
        raise DataError(
            f"{root} has no folder of images; put them into one of "
            f"{', '.join(str(folder.relative_to(root)) for folder in folders)}."
        )
    # A root with COCO and ReferIt has several: take the one that holds an image of this set.
    example = next(iter(instances.images.values())).file_name if instances.images else ""
    return next((folder for folder in present if (folder / example).is_file()), present[0])


def _read_instances(path: Path) -> _Instances:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path} is absent; it belongs to the annotations, beside refs(*).p."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not complete JSON ({error}); download or unpack it again."
        ) from None
    images: dict[int, _Image] = {}
    for position, image in enumerate(_get(content, "images", list, str(path))):
        record = f"{path}, image number {position}"
        found = _Image(
            _get(image, "file_name", str, record),
            _get(image, "height", int, record),
            _get(image, "width", int, record),
        )
        if images.setdefault(_get(image, "id", int, record), found) != found:
            raise DataError(f"{record}: an earlier image has the same id and differs.")
    annotations: dict[int, _Annotation] = {}
    for position, annotation in enumerate(_get(content, "annotations", list, str(path))):
        record = f"{path}, annotation number {position}"
        segmented = _Annotation(
            _get(annotation, "image_id", int, record),
            _get(annotation, "segmentation", object, record),
        )
        if annotations.setdefault(_get(annotation, "id", int, record), segmented) != segmented:
            raise DataError(f"{record}: an earlier annotation has the same id and differs.")
    return _Instances(images, annotations)


def _image_of(
    instances: _Instances, image_id: int, annotation_id: int, record: str, path: Path
) -> _Image:
    if annotation_id not in instances.annotations:
        raise DataError(f"{record}: its ann_id {annotation_id} is not in {path}.")
    if image_id not in instances.images:
        raise DataError(f"{record}: its image_id {image_id} is not in {path}.")
    if (other := instances.annotations[annotation_id].image_id) != image_id:
        raise DataError(
            f"{record}: it names image {image_id}, but its annotation {annotation_id} in {path} "
            f"lies on image {other}."
        )
    return instances.images[image_id]


def _sentences(ref: object, record: str) -> list[tuple[int, str, str]]:
    sentences = _get(ref, "sentences", list, record)
    if not sentences:
        raise DataError(f"{record}: it has no sentence.")
    rows = []
    for sentence in sentences:
        expression_id = _get(sentence, "sent_id", int, record)
        expression = _text(sentence, "sent", record)
        if not any(character.isalnum() for character in expression):
            raise DataError(
                f"{record}: its sentence {expression_id} has no word: {expression[:60]!r}."
            )
        rows.append((expression_id, expression, _text(sentence, "raw", record)))
    return rows


def _record(path: Path, ref: object, position: int) -> str:
    ref_id = ref.get("ref_id") if isinstance(ref, dict) else None
    return f"{path}, ref_id {ref_id}" if type(ref_id) is int else f"{path}, record {position}"


def _text(record: object, key: str, where: str) -> str:
    """A text, put right where UTF-8 went through Python 2 as bytes."""
    value = _get(record, key, str, where)
    try:
        value = value.encode("latin1").decode("utf-8")
        value.encode("utf-8")
    except UnicodeError:
        value = value.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    return value


def _get(record: object, key: str, kind: type[_T], where: str) -> _T:
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: expected a record with the key '{key}', got {_kind(record)}.")
    if key not in record:
        raise DataError(f"{where}: the key '{key}' is missing.")
    value = record[key]
    if not isinstance(value, kind) or (kind is int and not _is_id(value)):
        raise DataError(
            f"{where}: expected '{key}' to be of type {kind.__name__}, got {_kind(value)}."
        )
    return value


def _is_id(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _kind(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '…'}"
