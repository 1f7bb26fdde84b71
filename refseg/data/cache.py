"""The table of a data set, made once from its files and later mapped into memory."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
from filelock import FileLock
from rich.console import Console

from refseg.data.cache_entry import CacheEntry, Request
from refseg.data.cache_fingerprint import Fingerprint
from refseg.data.readers import OnBadRecord, read_references
from refseg.data.references import References
from refseg.data.relative_paths import relative_to_root
from refseg.files import as_path, cache_folder

BESIDE = ".refseg"
"""Name of the folder of cached tables, in the folder of the annotations."""

_log = logging.getLogger(__name__)


def open_references(
    root: Path | str,
    dataset: str,
    split_by: str | None = None,
    on_bad_record: OnBadRecord = "error",
    outside_files: bool = False,
) -> References:
    """Read a data set as `read_references` does, from the second time on at once.

    The table is kept as an Arrow file in `<root>/<dataset>/.refseg`, or under `REFSEG_CACHE` (else
    the user's cache folder) where that cannot be written to. It is made anew when the content of a
    file that it was made from has changed, or when a version of refseg makes other tables
    (`cache_entry.FORMAT`). The file is mapped into memory, so that the processes of a machine share
    one copy.

    Many processes may call at once: one reads the annotations, the others wait for it. One that is
    killed leaves nothing that others would stumble over.

    Args:
        root: the folder of the data. It may be moved, or be mounted elsewhere.
        dataset: name of the folder with the annotations under `root`, such as `refcoco+`.
        split_by: who made the splits, such as `unc`; may be left out where there is one partition.
        on_bad_record: `error` raises at the first bad record, `skip` leaves bad records out and
            lists them in `References.skipped`.
        outside_files: take files outside of its folder that one's own table names, too.

    Raises:
        DataError: a file is missing or broken, or a record is not what the format promises.
    """
    request = Request(as_path(root), dataset, split_by, on_bad_record, outside_files)
    entries = [CacheEntry(folder, request) for folder in _folders(request)]
    for entry in entries:
        if (found := entry.open()) is not None:
            return found
    for entry in entries:
        with _locked(entry) as is_locked:
            if is_locked:
                return _open_or_make(entry)
    references, _ = _make(request)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        _log.warning(
            "%s is read anew in each run, as no cache can be written: neither %s nor %s. Set the "
            "environment variable REFSEG_CACHE to a folder that can be written to.",
            dataset,
            *(entry.folder for entry in entries),
        )
    return references


def _folders(request: Request) -> list[Path]:
    """Where the table may be kept, the best place first."""
    place = sha256(str(request.root.resolve()).encode(errors="surrogateescape")).hexdigest()[:12]
    elsewhere = cache_folder() / "references" / f"{request.slug(request.dataset)}-{place}"
    return [request.root / request.dataset / BESIDE, elsewhere]


def _open_or_make(entry: CacheEntry) -> References:
    if (found := entry.open()) is not None:  # another process made it while this one waited
        return found
    if entry.damage:
        _log.warning("%s; the annotations are read again.", entry.damage)
    entry.sweep()
    start = time.perf_counter()
    references, fingerprint = _make(entry.request)
    _log.info("Read %s in %.1f s.", references.source, time.perf_counter() - start)
    if fingerprint is None:
        _log.warning("The files of %s changed while they were read.", entry.request.dataset)
        return references
    try:
        return entry.store(references, fingerprint)
    except OSError as error:
        _log.warning("The table cannot be kept in %s (%s).", entry.folder, error.strerror or error)
        return references


def _make(request: Request) -> tuple[References, Fingerprint | None]:
    """The table with what it was made from, or with None where that changed meanwhile."""
    before = Fingerprint.before(request.root, request.dataset)
    with _busy(request.dataset):
        references = read_references(
            request.root,
            request.dataset,
            request.split_by,
            request.on_bad_record,
            request.outside_files,
        )
    picture = None
    if len(references):
        first = references.take(np.array([0]), ["image_path"])["image_path"][0].as_py()
        (picture,) = relative_to_root([first], request.root)
    fingerprint = Fingerprint.take(
        request.root, request.dataset, references.consulted, picture, before
    )
    return references, fingerprint.still(request.root, request.dataset)


@contextmanager
def _locked(entry: CacheEntry) -> Iterator[bool]:
    """Hold the entry's lock; gives False where nothing can be written."""
    try:
        entry.prepare()
        lock = FileLock(entry.lock_path)
        lock.acquire()
    except (OSError, NotImplementedError):  # the latter: a file system without locks
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _busy(dataset: str) -> Iterator[None]:
    """Show a message on a terminal while the annotations are read."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(f"Reading the annotations of {dataset}, this once …"):
        yield
