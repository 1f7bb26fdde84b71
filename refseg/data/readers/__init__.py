"""From the files of a data set, as they are published, to one table of references.

In come a root and the name of a data set, out comes `References`; one file per format. Open `refer`
first.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from refseg.data.formats import (
    FOLDER,
    FORMATS,
    GREFCOCO,
    HUB,
    PHRASECUT,
    REFER,
    REFERIT,
    Format,
    consulted_for,
    datasets_under,
    format_of,
)
from refseg.data.readers.folder import read_folder
from refseg.data.readers.grefcoco import read_grefcoco
from refseg.data.readers.hub import read_hub
from refseg.data.readers.phrasecut import read_phrasecut
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.records import BadRecords, OnBadRecord
from refseg.data.readers.refer import read_refer
from refseg.data.readers.referit import read_referit
from refseg.data.references import References
from refseg.errors import DataError
from refseg.files import as_path

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


_READERS: Mapping[Format, Callable[[Path, str, str | None, OnBadRecord], References]] = {
    GREFCOCO: read_grefcoco,
    REFER: read_refer,
    REFERIT: read_referit,
    PHRASECUT: read_phrasecut,
    HUB: read_hub,
}


def read_references(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
    outside_files: bool = False,
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
        outside_files: take files outside of its folder that one's own table names, too.

    Raises:
        DataError: no format fits, a file is missing or broken, or a record is not what the format
            promises.
    """
    root = as_path(root)
    if not root.is_dir():
        raise DataError(
            f"The folder {root} is absent; give the folder of the data with --data.root."
        )
    form = format_of(root, dataset)
    if form is not None:
        read_own = partial(read_folder, outside_files=outside_files)
        read = read_own if form is FOLDER else _READERS[form]
        references = read(root, dataset, split_by, on_bad_record)
        references.consulted = [*references.consulted, *consulted_for(form, root, dataset)]
        return references
    looked_for = "; ".join(f"{form.described} ({form.title})" for form in FORMATS)
    if (root / dataset).is_dir():
        raise DataError(
            f"{root / dataset} has no annotations in a known format; looked for {looked_for}. Put "
            "the files there as they are published, or set --data.root and --data.dataset."
        )
    raise DataError(
        f"{root} has no folder '{dataset}' with annotations; it has "
        f"{', '.join(datasets_under(root)) or 'none of a known format'} (looked for {looked_for}). "
        "Set --data.root and --data.dataset."
    )
