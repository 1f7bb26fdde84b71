"""The reader of the REFER layout: `refs(<split_by>).p`, `instances.json` and a folder of images."""

import json
from pathlib import Path
from typing import NamedTuple

from refseg.data.masks import encode_segmentation
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import BadRecords, OnBadRecord, get, get_text, shown
from refseg.data.references import SCHEMA, References
from refseg.errors import DataError
from refseg.types import RunLengths

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


def read_refer(
    root: Path,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
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
        on_bad_record: `error` raises at the first bad reference, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    refs_path, split_by = _find_refs(root, dataset, split_by)
    instances_path = root / dataset / "instances.json"
    instances = _read_instances(instances_path)
    refs = load_python2_pickle(refs_path)
    if not isinstance(refs, list) or not refs:
        raise DataError(f"{refs_path}: expected a list of references, got {shown(refs)}.")

    folder = _find_images(root, dataset, instances)
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    masks: dict[int, RunLengths] = {}
    seen: set[int] = set()
    seen_expressions: set[int] = set()
    bad = BadRecords(on_bad_record)
    for position, ref in enumerate(refs):
        with bad.guard():
            record = _record(refs_path, ref, position)
            reference_id = get(ref, "ref_id", int, record)
            if reference_id in seen:
                raise DataError(f"{record}: this ref_id occurs twice.")
            annotation_id = get(ref, "ann_id", int, record)
            image_id = get(ref, "image_id", int, record)
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
                "category_ids": [get(ref, "category_id", int, record)],
                "image_id": image_id,
                "split": get_text(ref, "split", record),
                "image_path": str(folder / image.file_name),
                "height": image.height,
                "width": image.width,
                "rle": masks[annotation_id].counts,
                "mask_kind": "mask",
            }
            sentences = _sentences(ref, record)
            ids = [expression_id for expression_id, _, _ in sentences]
            for expression_id in ids:
                if expression_id in seen_expressions or ids.count(expression_id) > 1:
                    raise DataError(f"{record}: the sent_id {expression_id} occurs twice.")
            seen_expressions.update(ids)
            seen.add(reference_id)
            for expression_id, expression, raw in sentences:
                row = {"expression_id": expression_id, "expression": expression, "raw": raw}
                for name, value in (same_for_all | row).items():
                    columns[name].append(value)
    return References.from_columns(columns, skipped=bad.messages)


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
    for position, image in enumerate(get(content, "images", list, str(path))):
        record = f"{path}, image number {position}"
        found = _Image(
            get(image, "file_name", str, record),
            get(image, "height", int, record),
            get(image, "width", int, record),
        )
        if images.setdefault(get(image, "id", int, record), found) != found:
            raise DataError(f"{record}: an earlier image has the same id and differs.")
    annotations: dict[int, _Annotation] = {}
    for position, annotation in enumerate(get(content, "annotations", list, str(path))):
        record = f"{path}, annotation number {position}"
        segmented = _Annotation(
            get(annotation, "image_id", int, record),
            get(annotation, "segmentation", object, record),
        )
        if annotations.setdefault(get(annotation, "id", int, record), segmented) != segmented:
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
    sentences = get(ref, "sentences", list, record)
    if not sentences:
        raise DataError(f"{record}: it has no sentence.")
    rows = []
    for sentence in sentences:
        expression_id = get(sentence, "sent_id", int, record)
        expression = get_text(sentence, "sent", record)
        if not any(character.isalnum() for character in expression):
            raise DataError(
                f"{record}: its sentence {expression_id} has no word: {expression[:60]!r}."
            )
        rows.append((expression_id, expression, get_text(sentence, "raw", record)))
    return rows


def _record(path: Path, ref: object, position: int) -> str:
    ref_id = ref.get("ref_id") if isinstance(ref, dict) else None
    return f"{path}, ref_id {ref_id}" if type(ref_id) is int else f"{path}, record {position}"
