"""From the files of a data set, as they are published, to one table of references."""

from pathlib import Path

from refseg.data.readers.grefcoco import PATTERNS as GREFCOCO_PATTERNS
from refseg.data.readers.grefcoco import read_grefcoco
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import BadRecords, OnBadRecord
from refseg.data.readers.refer import read_refer
from refseg.data.references import References

__all__ = [
    "BadRecords",
    "OnBadRecord",
    "load_python2_pickle",
    "read_grefcoco",
    "read_refer",
    "read_references",
]


def read_references(
    root: Path,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
) -> References:
    """Read a data set in whichever of the known formats its folder is.

    Args:
        root: the folder of the data.
        dataset: name of the folder with the annotations under `root`, such as `refcoco+`.
        split_by: who made the splits, such as `unc`; may be left out where there is one partition.
        on_bad_record: `error` raises at the first bad record, `skip` leaves bad records out and
            lists them in `References.skipped`.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    folder = root / dataset
    if any(next(folder.glob(pattern), None) for pattern in GREFCOCO_PATTERNS):
        return read_grefcoco(root, dataset, split_by, on_bad_record)
    return read_refer(root, dataset, split_by, on_bad_record)
