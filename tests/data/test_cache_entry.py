"""The number of the format of cached tables is raised with whatever makes other tables."""

import hashlib
from pathlib import Path

from refseg.data.cache_entry import FORMAT
from refseg.data.readers import read_references
from refseg.data.schema import SCHEMA

from .fake_sets import WRITERS

PINNED = (2, "1d004d6246e68320")


def test_other_columns_or_other_rows_have_another_number(tmp_path: Path) -> None:
    """Where this fails, tables in users' caches are outdated: raise `FORMAT`, then pin it anew."""
    made = [f"{field.name} {field.type}" for field in SCHEMA]
    for dataset, write in WRITERS.items():
        references = read_references(write(tmp_path / dataset), dataset)
        made += [references.fingerprint(), str(len(references.skipped))]
    assert (FORMAT, hashlib.sha256("\n".join(made).encode()).hexdigest()[:16]) == PINNED
