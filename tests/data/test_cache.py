"""The cached table: always equal to what the reader gives, and made only when it has to be."""

import multiprocessing
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from refseg.data import cache, cache_entry
from refseg.data.cache import BESIDE, open_references
from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.data.schema import SCHEMA
from refseg.errors import DataError

from .cached_tables import kept, rows, table_file
from .fake_refer import annotations, write_annotations

FORK = multiprocessing.get_context("fork")


def test_equals_what_the_reader_gives(settled_root: Path, builds: Path) -> None:
    expected = read_references(settled_root, "fake", "unc")
    for _ in range(3):
        found = open_references(settled_root, "fake", "unc")
        assert found.table.schema == SCHEMA
        assert rows(found) == rows(expected)
        assert found.fingerprint() == expected.fingerprint()
    assert builds.read_text() == "."
    # Other arguments are another table.
    assert rows(open_references(settled_root, "fake")) == rows(expected)
    assert rows(open_references(settled_root, "fake", "unc", "skip")) == rows(expected)
    assert builds.read_text() == "..."


def test_opening_copies_nothing_but_paths(settled_root: Path) -> None:
    open_references(settled_root, "fake")
    before = pa.total_allocated_bytes()
    references = open_references(settled_root, "fake")
    paths = references.table["image_path"].chunk(0).dictionary
    assert pa.total_allocated_bytes() - before <= 2 * paths.nbytes + 1024
    rest = references.table.drop_columns("image_path").nbytes
    assert rest > 2 * paths.nbytes + 1024, "too small a table to tell"


def test_skipped_records_are_remembered(tmp_path: Path, fake_root: Path, builds: Path) -> None:
    (tmp_path / "images").symlink_to(fake_root / "images")
    refs, instances = annotations()
    del refs[3]["ann_id"]
    write_annotations(tmp_path, refs, instances)
    first, second = (open_references(tmp_path, "fake", None, "skip") for _ in range(2))
    assert builds.read_text() == "."
    assert first.skipped == second.skipped
    assert len(second.skipped) == 1
    for _ in range(2):
        with pytest.raises(DataError, match="'ann_id' is missing"):
            open_references(tmp_path, "fake", None, "error")


def test_what_is_absent_is_said_and_leaves_nothing(fake_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder 'nothing'"):
        open_references(fake_root, "nothing")
    assert not (fake_root / "nothing").exists()
    with pytest.raises(DataError, match="is absent"):
        open_references(tmp_path / "nowhere", "fake")
    assert not (tmp_path / "nowhere").exists()


def test_is_sent_as_a_file_and_rows(settled_root: Path) -> None:
    references = open_references(settled_root, "fake")
    part = references.split("train").select(np.arange(3, 20))
    assert len(pickle.dumps(references)) < 600
    assert len(pickle.dumps(part)) < 600 + 4 * len(part)
    for one in (references, part):
        sent = pickle.loads(pickle.dumps(one))
        assert rows(sent) == rows(one)
        assert sent.truth(4) == one.truth(4)
    message = pickle.dumps(part)
    table_file(settled_root).unlink()
    with pytest.raises(DataError, match="has gone: the data set was changed"):
        pickle.loads(message)
    assert rows(part)[0]["expression_id"] == 103, "what is open stays readable"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_of_many_processes_one_reads(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = cache.read_references

    def slowly(*args: object) -> References:
        time.sleep(0.5)
        return counting(*args)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(cache, "read_references", slowly)
    barrier, queue = FORK.Barrier(6), FORK.Queue()

    def work() -> None:
        barrier.wait()
        queue.put(rows(open_references(settled_root, "fake")))

    processes = [FORK.Process(target=work) for _ in range(6)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    expected = rows(read_references(settled_root, "fake"))
    assert all(one == expected for one in found)
    assert builds.read_text() == "."
    assert kept(settled_root)[:2] == [".arrow", ".json"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_killed_builder_blocks_nobody(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(references: References, path: Path, root: Path) -> None:
        path.write_bytes(b"half a table")
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(cache_entry, "write_table", die)
        process = FORK.Process(target=open_references, args=(settled_root, "fake"))
        process.start()
        process.join(60)
    assert process.exitcode == -signal.SIGKILL
    folder = settled_root / "fake" / BESIDE
    assert [path.read_bytes() for path in folder.glob(".*.arrow")] == [b"half a table"]
    found = open_references(settled_root, "fake")
    assert rows(found) == rows(read_references(settled_root, "fake"))
    assert not list(folder.glob(".*"))
    assert builds.read_text() == ".."
