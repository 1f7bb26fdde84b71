"""The reader of the REFER layout: `refs(<split_by>).p`, `instances.json` and images."""

from pathlib import Path

from refseg.data.formats import REFER_REFS
from refseg.data.images import image_exists
from refseg.data.readers.builder import TableBuilder
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
from refseg.types import RunLengths

ABSENT_PHOTOGRAPHS = frozenset({"19579", "17975", "19575"})
"""Photographs of RefCLEF that its annotations name and that its images do not have."""


@paused_collector()
def read_refer(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read a data set in REFER layout, as RefCOCO, RefCOCO+, RefCOCOg and RefCLEF are published.

    Images are found through `image_id` and `instances.json`: the `file_name` of a reference carries
    the annotation's id as a suffix and names no file. All splits are read; `References.split`
    chooses. Unlike REFER's API, which compares parts of names, splits have exact names, and a
    reference of RefCLEF's `testAB` belongs to testA and to testB.

    RefCLEF is published with references without a usable mask and without three of its photographs:
    these references are left out, and `References.skipped` lists them, whatever `on_bad_record`.

    Args:
        root: the folder with `<dataset>/refs(<split_by>).p`, `<dataset>/instances.json` and the
            images, in a folder or in a zip file such as `train2014.zip`.
        dataset: name of the folder with the annotations, such as `refcoco+`.
        split_by: who made the splits, such as `unc`, `google` or `umd`; may be left out where the
            folder has only one.
        on_bad_record: `error` raises at the first bad reference, `skip` leaves it out.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    root = as_path(root)
    refs_path, split_by = find_partition(root, dataset, split_by, REFER_REFS)
    bad = BadRecords(on_bad_record)
    instances = read_instances(root / dataset / "instances.json", bad)
    refs = load_python2_pickle(refs_path)
    if not isinstance(refs, list) or not refs:
        raise DataError(f"{refs_path}: expected a list of references, got {shown(refs)}.")
    folder = find_images(root, dataset, (image.file_name for image in instances.images.values()))
    has_gaps = dataset == "refclef"
    table = TableBuilder(f"{dataset} ({split_by})")
    table.consult(image_archives(root, dataset))
    for position, ref in enumerate(refs):
        with bad.guard():
            record = record_name(refs_path, ref, position)
            annotation_id = get(ref, "ann_id", int, record)
            image_id = get(ref, "image_id", int, record)
            category_id = get(ref, "category_id", int, record)
            find_mask = _usable_mask if has_gaps else Instances.mask
            mask = find_mask(instances, annotation_id, image_id, record)
            image_path = image_in(folder, instances.images[image_id].file_name)
            if has_gaps and image_path.stem in ABSENT_PHOTOGRAPHS:
                table.consult([image_path])
            if has_gaps and _is_absent(image_path):
                raise KnownGapError(f"{record}: the photograph {image_path} is absent.")
            table.add(
                record,
                get(ref, "ref_id", int, record),
                sentences_of(ref, record),
                annotation_ids=[annotation_id],
                category_ids=[category_id],
                image_id=image_id,
                split=splits_of(ref, record),
                image_path=image_path,
                mask=mask,
            )
    return table.build(bad)


def _usable_mask(
    instances: Instances, annotation_id: int, image_id: int, record: str
) -> RunLengths:
    try:
        return instances.mask(annotation_id, image_id, record)
    except DataError as error:
        raise KnownGapError(str(error)) from None


def _is_absent(image_path: Path) -> bool:
    return image_path.stem in ABSENT_PHOTOGRAPHS and not image_exists(image_path)
