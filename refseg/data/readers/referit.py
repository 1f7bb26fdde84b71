"""The reader of ReferIt (RefCLEF) as text_objseg publishes it: JSON, and masks as `.mat` files."""

import re
from pathlib import Path
from typing import NamedTuple

from refseg.data.formats import REFERIT_NAMES, REFERIT_QUERIES, folder_with
from refseg.data.readers.builder import Sentence, TableBuilder, has_word
from refseg.data.readers.collector import paused_collector
from refseg.data.readers.json_files import read_json_object
from refseg.data.readers.matlab import read_mat_mask
from refseg.data.readers.places import Folders, ImageFiles, index_files
from refseg.data.readers.records import BadRecords, KnownGapError, OnBadRecord, get, shown
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path
from refseg.masks import check_size, encode, encode_box
from refseg.types import RunLengths

IMAGE_FOLDERS = (
    "images",
    "referit-dataset/images",
    "images/referit",
    "images/saiapr_tc-12",
    "saiapr_tc-12",
    "saiapr_tc-12/*/images",
    "images/saiapr_tc-12/*/images",
)
MASK_FOLDERS = (
    "mask",
    "masks",
    "referit-dataset/mask",
    "saiapr_tc-12/*/segmentation_masks",
    "images/saiapr_tc-12/*/segmentation_masks",
)
"""Where files are looked for, in the data set's folder and in the root."""

LONGEST_SIDE = 65_535
"""Pixels; no JPEG is larger."""

WORDLESS = "<unk>"
"""What an expression without a word reads: the papers' token for an unknown word."""

_REGION = re.compile(r"([0-9]{1,9})_([0-9]{1,3})")


class _Files(NamedTuple):
    folder: Path
    boxes: dict[str, object]
    sizes: dict[str, object]
    images: ImageFiles
    masks: dict[str, str]
    consulted: list[Path]


@paused_collector()
def read_referit(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read ReferIt as text_objseg publishes it.

    A region `<image>_<k>` is a reference with the id image × 1000 + k, and its expressions have
    the ids (image × 1000 + k) × 1000 + position, from 0: stable integers, from which one can read
    image and region. The published files have no classes, so `category_ids` are empty.

    The mask of a region is its `.mat` file, where the variable `segimg_t` **equals 0**. Where that
    file is absent, the mask is the filled box, and `mask_kind` says "box". A region with neither
    is left out and reported in `References.skipped`, whatever `on_bad_record` says.

    Expressions are read in lower case (`raw` has them as typed). One of the 120,081, of 19373_1 in
    train, is "...": it reads `<unk>`, as in the papers, so that published counts stay.

    Args:
        root: the folder with the files, or with a folder `dataset` that has them.
        dataset: name of the folder, such as `referit`.
        split_by: ReferIt has one partition; `berkeley`, its name in REFER, is accepted.
        on_bad_record: `error` raises at the first bad region, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.

    References:
        S. Kazemzadeh et al., ReferItGame: Referring to Objects in Photographs of Natural Scenes,
        EMNLP 2014. R. Hu, M. Rohrbach, T. Darrell, Segmentation from Natural Language
        Expressions, ECCV 2016, https://github.com/ronghanghu/text_objseg.
    """
    root = as_path(root)
    files = _find_files(root, dataset, split_by)
    table, bad = TableBuilder((root / dataset).resolve().name), BadRecords(on_bad_record)
    queries = _queries(files.folder)
    table.consult([*files.consulted, *queries.values()])
    for split, path in queries.items():
        for region, expressions in read_json_object(path).items():
            record = f"{path}, region {shown(region)[4:]}"
            with bad.guard():
                match = _REGION.fullmatch(region)
                if match is None:
                    raise DataError(f"{record}: expected a name such as 38100_1.")
                image_id, reference_id = int(match[1]), int(match[1]) * 1000 + int(match[2])
                sentences = _sentences(expressions, reference_id, record)
                name = f"{match[1]}.jpg"
                height, width = _size(files.sizes, name, record)
                mask_file = files.masks.get(f"{region}.mat")
                if mask_file is None:
                    mask = _filled_box(files.boxes, region, height, width, record)
                else:
                    table.consult([Path(mask_file)])
                    mask = _mask(Path(mask_file), height, width, record)
                table.add(
                    record,
                    reference_id,
                    sentences,
                    annotation_ids=[reference_id],
                    category_ids=[],
                    image_id=image_id,
                    split=split,
                    image_path=files.images.place(name),
                    mask=mask,
                    mask_kind="box" if mask_file is None else "mask",
                )
    return table.build(bad)


def _find_files(root: Path, dataset: str, split_by: str | None) -> _Files:
    folder = folder_with(root, dataset, REFERIT_QUERIES, REFERIT_NAMES)
    if folder is None:
        raise DataError(f"Neither {root / dataset} nor {root} has files {REFERIT_QUERIES}.")
    if split_by not in (None, "berkeley"):
        raise DataError(
            f"{folder} has one partition, 'berkeley', not '{split_by}'; leave --data.split_by out."
        )
    bases = list(dict.fromkeys((folder, root)))
    mask_folders = Folders(bases, MASK_FOLDERS)
    boxes, sizes = folder / "referit_bbox.json", folder / "referit_imsize.json"
    if not boxes.is_file() and not mask_folders.found:
        raise DataError(
            f"{folder} has neither {boxes.name} nor a folder of masks ({', '.join(MASK_FOLDERS)}); "
            "at least one of them is needed."
        )
    images = ImageFiles(bases, IMAGE_FOLDERS)
    return _Files(
        folder=folder,
        boxes=read_json_object(boxes) if boxes.is_file() else {},
        sizes=read_json_object(sizes),
        images=images,
        masks=index_files(mask_folders.found),
        consulted=[folder, boxes, sizes, *mask_folders.consulted, *images.consulted],
    )


def _queries(folder: Path) -> dict[str, Path]:
    """The files of queries by split, without those that only join others."""
    prefix, suffix = REFERIT_QUERIES.split("*")
    paths = {
        path.name[len(prefix) : -len(suffix)]: path for path in sorted(folder.glob(REFERIT_QUERIES))
    }
    if {"train", "val"} <= set(paths):
        paths.pop("trainval", None)
    elif "trainval" in paths:
        paths = {split: paths[split] for split in paths if split not in ("train", "val")}
    if len(paths) > 1:
        paths.pop("all", None)
    return paths


def _sentences(expressions: object, reference_id: int, record: str) -> list[Sentence]:
    if not isinstance(expressions, list) or not 0 < len(expressions) <= 1000:
        raise DataError(f"{record}: expected a list of expressions, got {shown(expressions)}.")
    sentences = []
    for position, raw in enumerate(expressions):
        if not isinstance(raw, str) or not raw.strip():
            raise DataError(f"{record}: expected an expression as text, got {shown(raw)}.")
        raw = raw.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
        cleaned = " ".join(raw.lower().split())
        expression = cleaned if has_word(cleaned) else WORDLESS
        sentences.append(Sentence(reference_id * 1000 + position, expression, raw))
    return sentences


def _size(sizes: dict[str, object], name: str, record: str) -> tuple[int, int]:
    record = f"{record}: referit_imsize.json"
    size = get(sizes, name, list, record)
    if [type(side) for side in size] != [int, int]:
        raise DataError(f"{record}: expected [width, height] for '{name}', got {shown(size)}.")
    width, height = size
    check_size(height, width, record)
    if max(height, width) > LONGEST_SIDE:
        raise DataError(f"{record}: an image of {width} × {height} pixels cannot be a photograph.")
    return height, width


def _mask(path: Path, height: int, width: int, record: str) -> RunLengths:
    image = read_mat_mask(path, "segimg_t", height, width, record)
    is_object = image == 0
    if not is_object.any():
        raise DataError(
            f"{record}: the mask {path} covers no pixel; expected 'segimg_t' to be 0 on the "
            "object. Unpack it again, or leave the region out."
        )
    return encode(is_object)


def _filled_box(
    boxes: dict[str, object], region: str, height: int, width: int, record: str
) -> RunLengths:
    """The run lengths, down the columns, of a box whose corners are its first and last pixel."""
    if region not in boxes:
        raise KnownGapError(f"{record}: it has neither a mask nor a box.")
    box = boxes[region]
    if not isinstance(box, list) or [type(side) for side in box] != [int] * 4:
        raise DataError(
            f"{record}: expected a box [xmin, ymin, xmax, ymax] of whole pixels, got {shown(box)}."
        )
    left, top, right, bottom = box
    if not (0 <= left <= right < width and 0 <= top <= bottom < height):
        raise DataError(
            f"{record}: the box {shown(box)[5:]} does not lie in its image of {width} × {height} "
            "pixels."
        )
    return encode_box(left, top, right, bottom, height, width)
