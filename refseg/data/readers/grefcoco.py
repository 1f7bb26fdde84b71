"""The reader of gRefCOCO, whose expressions name one object, several, or none."""

from pathlib import Path

from refseg.data.formats import GREFCOCO_REFS
from refseg.data.readers.builder import TableBuilder
from refseg.data.readers.coco_json import read_json
from refseg.data.readers.collector import paused_collector
from refseg.data.readers.image_places import find_images, image_archives
from refseg.data.readers.instances import Instances, read_instances
from refseg.data.readers.named_files import image_in
from refseg.data.readers.partitions import find_partition
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import BadRecords, KnownGapError, OnBadRecord, get, shown
from refseg.data.readers.refer_records import record_name, sentences_of, splits_of
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path
from refseg.masks import check_size, empty, union
from refseg.types import RunLengths

_NOTHING = [-1]


@paused_collector()
def read_grefcoco(
    root: Path | str,
    dataset: str = "grefcoco",
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read gRefCOCO: `grefs(unc).json`, `instances.json` and COCO's images.

    The mask of an expression that names several objects is their union, crowds included; the mask
    of one that names none (`ann_id` is `[-1]`) is empty. Some references are published without a
    sentence: they are left out, and `References.skipped` lists them, whatever `on_bad_record`.

    Args:
        root: the folder with `<dataset>/grefs(<split_by>).json`, `<dataset>/instances.json` and the
            images, in a folder or in a zip file such as `train2014.zip`.
        dataset: name of the folder with the annotations.
        split_by: who made the splits; may be left out where the folder has only one file.
        on_bad_record: `error` raises at the first bad reference, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.

    References:
        Liu, Ding, Jiang: GRES: Generalized Referring Expression Segmentation, CVPR 2023, section 3.
        https://arxiv.org/abs/2306.00968
    """
    root = as_path(root)
    refs_path, split_by = find_partition(root, dataset, split_by, GREFCOCO_REFS)
    bad = BadRecords(on_bad_record)
    instances = read_instances(root / dataset / "instances.json", bad)
    is_pickle = refs_path.suffix == ".p"
    refs = load_python2_pickle(refs_path) if is_pickle else read_json(refs_path)
    if not isinstance(refs, list) or not refs:
        raise DataError(f"{refs_path}: expected a list of references, got {shown(refs)}.")
    folder = find_images(root, dataset, (image.file_name for image in instances.images.values()))
    table = TableBuilder(f"{dataset} ({split_by})")
    table.consult(image_archives(root, dataset))
    for position, ref in enumerate(refs):
        with bad.guard():
            record = record_name(refs_path, ref, position)
            if get(ref, "sentences", object, record) == []:
                raise KnownGapError(f"{record}: it has no sentence.")
            image_id = get(ref, "image_id", int, record)
            image = instances.image(image_id, record)
            annotation_ids = _ids(ref, "ann_id", record)
            table.add(
                record,
                get(ref, "ref_id", int, record),
                sentences_of(ref, record),
                annotation_ids=annotation_ids,
                category_ids=_ids(ref, "category_id", record),
                image_id=image_id,
                split=splits_of(ref, record),
                image_path=image_in(folder, image.file_name),
                mask=_mask(instances, annotation_ids, image_id, record),
            )
    return table.build(bad)


def _ids(ref: object, key: str, record: str) -> list[int]:
    """The ids of a list, none for `[-1]`; a single number is a list of one."""
    value = get(ref, key, object, record)
    listed = value if isinstance(value, list) else [value]
    ids = [get({key: number}, key, int, record) for number in listed]
    if ids == _NOTHING:
        return []
    if not ids or -1 in ids:
        raise DataError(
            f"{record}: expected '{key}' to be a list of ids, or [-1] for no object, got "
            f"{shown(value)}."
        )
    return ids


def _mask(
    instances: Instances, annotation_ids: list[int], image_id: int, record: str
) -> RunLengths:
    if annotation_ids:
        return union([instances.mask(number, image_id, record) for number in annotation_ids])
    image = instances.image(image_id, record)
    check_size(image.height, image.width, record)
    return empty(image.height, image.width)
