"""The reader of the RefCOCO family in parquet, as it lies on the Hugging Face hub."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from refseg.data.formats import HUB_FILE, HUB_SPLITS, parquet_files
from refseg.data.readers.builder import TableBuilder
from refseg.data.readers.collector import paused_collector
from refseg.data.readers.image_places import find_images, image_archives
from refseg.data.readers.json_files import parse_json
from refseg.data.readers.named_files import spellings
from refseg.data.readers.records import BadRecords, OnBadRecord, get, get_text, shown
from refseg.data.readers.refer_records import sentences_of
from refseg.data.readers.segmentations import encode_object
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path
from refseg.masks import check_size

PARTITIONS = {"refcoco": "unc", "refcoco+": "unc", "refcocoplus": "unc", "refcocog": "umd"}
"""Whose splits the hub's `jxu124/refcoco`, `refcocoplus` and `refcocog` have."""

_IDS = ("ref_id", "ann_id", "image_id", "category_id")
_TEXTS = ("split", "image_path", "raw_anns", "raw_image_info")
_COLUMNS = (*_IDS, *_TEXTS, "sentences")
_MOST_ROWS = 2**20
_LARGEST_GROUP = 2**28  # bytes, unpacked, of the rows that are stored together


@paused_collector()
def read_hub(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read RefCOCO, RefCOCO+ or RefCOCOg from parquet in the schema of `jxu124/refcoco`.

    Ids, sentences and segmentations are REFER's. On the hub, `validation` means val, and the
    `test` of RefCOCO and RefCOCO+ means **testA**; of RefCOCOg it means test. The files have no
    images: those are looked for as `image_path` says, and where people keep train2014.

    Args:
        root: the folder of the data.
        dataset: name of the folder under `root` that has `train-00000-of-00001-….parquet` and so
            on, such as `refcoco`.
        split_by: whose splits they are, for the name of the data set; `unc` for RefCOCO and
            RefCOCO+, `umd` for RefCOCOg, as published.
        on_bad_record: `error` raises at the first bad reference, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    root = as_path(root)
    files = parquet_files(root, dataset)
    if not files:
        raise DataError(
            f"{root / dataset} has no files such as train-00000-of-00001.parquet "
            f"({', '.join(HUB_SPLITS)})."
        )
    _check_parts(files)
    published = PARTITIONS.get(dataset.lower())
    if published is not None and split_by not in (None, published):
        raise DataError(
            f"{root / dataset} has the partition '{published}', not '{split_by}'; leave "
            "--data.split_by out."
        )
    partition = published or split_by
    source = dataset if partition is None else f"{dataset} ({partition})"
    has_test_b = any(split == "testB" for split, _ in files)
    test_is_a = partition == "unc" or has_test_b
    table, bad = TableBuilder(source), BadRecords(on_bad_record)
    table.consult(image_archives(root, dataset))
    images = _Images(root, dataset)
    for hub_split, path in files:
        split = "testA" if hub_split == "test" and test_is_a else HUB_SPLITS[hub_split]
        for position, ref in enumerate(_records(path)):
            record = _record(path, ref, position)
            with bad.guard():
                _check_split(ref, split, record)
                reference_id = get(ref, "ref_id", int, record)
                annotation_id = get(ref, "ann_id", int, record)
                image_id = get(ref, "image_id", int, record)
                image = _part(ref, "raw_image_info", record)
                height, width = (get(image, side, int, record) for side in ("height", "width"))
                check_size(height, width, record)
                annotation = _part(ref, "raw_anns", record)
                for name, value in (("id", annotation_id), ("image_id", image_id)):
                    if annotation.get(name, value) != value:
                        raise DataError(
                            f"{record}: expected raw_anns of {name} {value}, got "
                            f"{shown(annotation[name])}."
                        )
                mask = encode_object(
                    get(annotation, "segmentation", object, record), height, width, record
                )
                table.add(
                    record,
                    reference_id,
                    sentences_of(ref, record),
                    annotation_ids=[annotation_id],
                    category_ids=[(category := get(ref, "category_id", int, record))],
                    category=_coco_name(category) if published else None,
                    image_id=image_id,
                    split=split,
                    image_path=images.path(ref, image, record),
                    mask=mask,
                )
    return table.build(bad)


@cache
def _coco_name(category: int) -> str | None:
    """The name of one of COCO's classes, which the files give by number only."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    name = names[category] if 0 < category < len(names) else "N/A"
    return None if name == "N/A" else str(name)


class _Images:
    """The folder of the images, found with the first image and used for all others."""

    def __init__(self, root: Path, dataset: str) -> None:
        self._root, self._dataset = root, dataset
        self._place: Path | None = None

    def path(self, ref: object, image: dict[str, object], record: str) -> str:
        """The path of an image."""
        name = get_text(image, "file_name", record)
        if Path(name).name != name or not name.strip(".") or "\0" in name or len(name) > 255:
            raise DataError(f"{record}: expected the name of an image file, got {shown(name)}.")
        if self._place is None:
            path = get_text(ref, "image_path", record).replace("\0", "")
            told = [PurePosixPath(spelling).parent for spelling in spellings(path)]
            # os.path, as Path raises where a name is too long
            places = (
                self._root / place
                for place in told
                if ".." not in place.parts and os.path.isfile(self._root / place / name)  # noqa: PTH113
            )
            self._place = next(places, None) or find_images(self._root, self._dataset, [name])
        return str(self._place / name)


def _check_parts(files: list[tuple[str, Path]]) -> None:
    """Check that each split has one file or all its parts, as the hub has several versions."""
    by_split: dict[str, list[Path]] = {}
    for hub_split, path in files:
        by_split.setdefault(HUB_SPLITS[hub_split], []).append(path)
    for split, paths in by_split.items():
        parts = [match for path in paths if (match := HUB_FILE.fullmatch(path.name))]
        numbers = [(match["part"] or "0", match["parts"] or "1") for match in parts]
        count = int(numbers[0][1]) if len(numbers[0][1]) < 6 else 0
        if sorted(int(number) for number, _ in numbers) != list(range(count)):
            raise DataError(
                f"{paths[0].parent}: expected one file for the split '{split}', or each part of it "
                f"once, got {', '.join(path.name for path in paths)}; keep those that belong "
                "together."
            )


def _records(path: Path) -> Iterator[object]:
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            _check_extent(path, file.metadata)
        # A value that is stored once and meant many times stays so: a small file cannot grow huge.
        with pq.ParquetFile(path, read_dictionary=list(_TEXTS)) as file:
            for batch in file.iter_batches(batch_size=64, columns=list(_COLUMNS)):
                for row in range(batch.num_rows):
                    yield batch.slice(row, 1).to_pylist()[0]
    except DataError:
        raise
    except Exception as error:  # whatever a broken file makes pyarrow stumble over
        raise DataError(
            f"{path} is not a complete parquet file ({' '.join(str(error).split())[:200]}); "
            "download it again."
        ) from None


def _check_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise DataError(
            f"{path}: the columns {', '.join(missing)} are missing; expected the schema of "
            f"jxu124/refcoco, got the columns {', '.join(map(repr, names))[:200]}."
        )


def _check_extent(path: Path, metadata: pq.FileMetaData) -> None:
    # Not the sizes of columns: pyarrow aborts the process over those of some damaged files.
    sizes = [metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)]
    if metadata.num_rows > _MOST_ROWS or max(sizes, default=0) > _LARGEST_GROUP:
        raise DataError(
            f"{path}: it says that it has {metadata.num_rows:,} rows and {sum(sizes):,} bytes, "
            "which none of these data sets has; download it again."
        )


def _check_split(ref: object, split: str, record: str) -> None:
    """Check the row's own split: a file under a wrong name would leak test data into training."""
    own = get_text(ref, "split", record)
    if own != split and HUB_SPLITS.get(own) != split and not (own == "test" and split == "testA"):
        raise DataError(
            f"{record}: expected the split '{split}', as its file says, got {shown(own)}."
        )


def _part(ref: object, name: str, record: str) -> dict[str, object]:
    text = get(ref, name, str, record)
    value = parse_json(text, f"{record}: {name}")
    if not isinstance(value, dict):
        raise DataError(f"{record}: expected a JSON object in '{name}', got {shown(value)}.")
    return value


def _record(path: Path, ref: object, position: int) -> str:
    ref_id = ref.get("ref_id") if isinstance(ref, dict) else None
    return f"{path}, ref_id {ref_id}" if type(ref_id) is int else f"{path}, row {position}"
