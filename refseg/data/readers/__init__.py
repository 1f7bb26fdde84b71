"""From the files of a data set, as they are published, to one table of references."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from refseg.data.readers.folder import TABLES, read_folder
from refseg.data.readers.folders import folder_with
from refseg.data.readers.grefcoco import PATTERNS as GREFCOCO_FILES
from refseg.data.readers.grefcoco import read_grefcoco
from refseg.data.readers.hub import parquet_files, read_hub
from refseg.data.readers.phrasecut import IMAGE_DATA, NAMES, read_phrasecut
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import BadRecords, OnBadRecord
from refseg.data.readers.refer import read_refer
from refseg.data.readers.referit import NAMES as REFERIT_NAMES
from refseg.data.readers.referit import QUERIES, read_referit
from refseg.data.references import References
from refseg.errors import DataError

__all__ = [
    "BadRecords",
    "OnBadRecord",
    "load_python2_pickle",
    "read_folder",
    "read_grefcoco",
    "read_hub",
    "read_phrasecut",
    "read_refer",
    "read_references",
    "read_referit",
]


class _Format(NamedTuple):
    title: str
    files: str  # what it is recognised by, for messages
    fits: Callable[[Path, str], bool]
    read: Callable[[Path, str, str | None, OnBadRecord], References]


_FORMATS = (
    _Format(
        "gRefCOCO",
        GREFCOCO_FILES[0],
        lambda root, dataset: any(any((root / dataset).glob(name)) for name in GREFCOCO_FILES),
        read_grefcoco,
    ),
    _Format(
        "REFER",
        "refs(*).p",
        lambda root, dataset: any((root / dataset).glob("refs(*).p")),
        read_refer,
    ),
    _Format(
        "ReferIt",
        QUERIES,
        lambda root, dataset: folder_with(root, dataset, QUERIES, REFERIT_NAMES) is not None,
        read_referit,
    ),
    _Format(
        "PhraseCut",
        IMAGE_DATA,
        lambda root, dataset: folder_with(root, dataset, IMAGE_DATA, NAMES) is not None,
        read_phrasecut,
    ),
    _Format(
        "Hugging Face hub",
        "train-*.parquet and the like, here or in data/",
        lambda root, dataset: bool(parquet_files(root, dataset)),
        read_hub,
    ),
    _Format(
        "one's own data",
        " or ".join(TABLES),
        lambda root, dataset: any((root / dataset / name).is_file() for name in TABLES),
        read_folder,
    ),
)


def read_references(
    root: Path,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read a data set in whichever of the known formats its folder is.

    The format is recognised by the files: gRefCOCO's `grefs(*).json`, REFER's `refs(*).p`,
    ReferIt's `referit_query_*.json`, PhraseCut's `image_data_split3000.json`, parquet from the
    Hugging Face hub, or one's own `annotations.csv` or `annotations.jsonl`. The first that fits is
    read.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`, such as `refcoco+`.
        split_by: who made the splits, such as `unc`; may be left out where there is one partition.
        on_bad_record: `error` raises at the first bad record, `skip` leaves bad records out and
            lists them in `References.skipped`.

    Raises:
        DataError: no format fits, a file is missing or broken, or a record is not what the format
            promises.
    """
    if not root.is_dir():
        raise DataError(
            f"The folder {root} is absent; give the folder of the data with --data.root."
        )
    for form in _FORMATS:
        if form.fits(root, dataset):
            return form.read(root, dataset, split_by, on_bad_record)
    looked_for = "; ".join(f"{form.files} ({form.title})" for form in _FORMATS)
    if (root / dataset).is_dir():
        raise DataError(
            f"{root / dataset} has no annotations in a known format; looked for {looked_for}. Put "
            "the files there as they are published, or set --data.root and --data.dataset."
        )
    present = [
        folder.name
        for folder in sorted(root.iterdir())
        if folder.is_dir() and any(form.fits(root, folder.name) for form in _FORMATS)
    ]
    raise DataError(
        f"{root} has no folder '{dataset}' with annotations; it has "
        f"{', '.join(present) or 'none of a known format'} (looked for {looked_for}). Set "
        "--data.root and --data.dataset."
    )
