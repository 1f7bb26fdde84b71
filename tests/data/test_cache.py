"""The cached table: always equal to what the reader gives, and made only when it has to be."""

import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable
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

from .fake_refer import annotations, write_annotations

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that grows by one byte with each reading of the annotations, in whatever process."""
    counter = tmp_path / "builds"
    counter.touch()

    def counting(*args: object) -> References:
        with counter.open("a") as file:
            file.write(".")
        return read_references(*args)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(cache, "read_references", counting)
    return counter


@pytest.fixture
def settled_root(own_root: Path) -> Path:
    """A data set whose files are old enough for their times to be believed."""
    for path in (own_root / "fake").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    return own_root


def rows(references: References) -> list[dict[str, object]]:
    return references.table.to_pylist()


def kept(root: Path) -> list[str]:
    """The kinds of files in the cache."""
    return sorted(path.suffix for path in (root / "fake" / BESIDE).iterdir() if path.suffix)


def table_file(root: Path) -> Path:
    (path,) = (root / "fake" / BESIDE).glob("*.arrow")
    return path


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


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 0),
        _flip,
        Path.unlink,
    ],
    ids=["half", "empty", "one bit", "gone"],
)
def test_a_damaged_table_is_made_anew_with_one_line(
    settled_root: Path,
    builds: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
) -> None:
    expected = rows(open_references(settled_root, "fake"))
    spoil(table_file(settled_root))
    assert rows(open_references(settled_root, "fake")) == expected
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [
        f"The cached table {table_file(settled_root)} is damaged; the annotations are read again."
    ]
    assert rows(open_references(settled_root, "fake")) == expected
    assert builds.read_text() == ".."


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"format": 1}', "null", "[" * 100_000),
        f'{{"format": {cache_entry.FORMAT}, "fingerprint": [], "table": 3}}',
    ],
)
def test_a_damaged_record_is_made_anew(settled_root: Path, builds: Path, text: str) -> None:
    expected = rows(open_references(settled_root, "fake"))
    (record,) = (settled_root / "fake" / BESIDE).glob("*.json")
    record.write_text(text)
    assert rows(open_references(settled_root, "fake")) == expected
    assert builds.read_text() == ".."


def test_another_format_makes_it_anew(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_references(settled_root, "fake")
    monkeypatch.setattr(cache_entry, "FORMAT", cache_entry.FORMAT + 1)
    open_references(settled_root, "fake")
    assert builds.read_text() == ".."
    assert kept(settled_root).count(".arrow") == 1, "the old one is removed"


def test_changed_content_of_the_same_size(settled_root: Path, builds: Path) -> None:
    open_references(settled_root, "fake")
    refs, instances = annotations()
    refs[0]["sentences"][0]["sent"] = "the red cat"
    write_annotations(settled_root, refs, instances)
    path = settled_root / "fake" / "refs(unc).p"
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert open_references(settled_root, "fake").expressions[0].as_py() == "the red cat"
    assert builds.read_text() == ".."
    assert kept(settled_root).count(".arrow") == 1, "the old one is removed"


def test_a_change_within_the_same_tick_of_the_clock(own_root: Path) -> None:
    path = own_root / "fake" / "refs(unc).p"
    path.touch()
    open_references(own_root, "fake")
    status = path.stat()
    refs, instances = annotations()
    refs[0]["sentences"][0]["sent"] = "the red cat"
    write_annotations(own_root, refs, instances)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert open_references(own_root, "fake").expressions[0].as_py() == "the red cat"


def test_a_new_time_alone_changes_nothing(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_references(settled_root, "fake")
    os.utime(settled_root / "fake" / "instances.json", ns=(10**18 + 5, 10**18 + 5))
    open_references(settled_root, "fake")
    # The new time is known from now on: the content is not read again.
    monkeypatch.setattr("hashlib.file_digest", None)
    open_references(settled_root, "fake")
    assert builds.read_text() == "."


def test_a_new_file_in_the_folder_counts(settled_root: Path, builds: Path) -> None:
    open_references(settled_root, "fake")
    shutil.copy(settled_root / "fake" / "refs(unc).p", settled_root / "fake" / "refs(umd).p")
    with pytest.raises(DataError, match="several partitions"):
        open_references(settled_root, "fake")


def test_a_moved_folder_is_no_other(
    settled_root: Path, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_references(settled_root, "fake")
    moved = tmp_path / "somewhere" / "else"
    moved.parent.mkdir()
    settled_root.rename(moved)
    (tmp_path / "link").symlink_to(moved)
    monkeypatch.chdir(tmp_path)
    for root in (moved, tmp_path / "link", Path("somewhere/else"), Path("somewhere/../link")):
        found = open_references(root, "fake")
        assert builds.read_text() == "."
        assert rows(found) == rows(read_references(root, "fake"))
        assert Path(found.table["image_path"][0].as_py()).is_file()
    monkeypatch.chdir(moved)
    assert rows(open_references(Path(), "fake")) == rows(read_references(Path(), "fake"))
    assert builds.read_text() == "."


def test_pictures_that_come_or_move_later(settled_root: Path, builds: Path) -> None:
    images = settled_root / "images" / "train2014"
    away = settled_root.parent / "away"
    images.rename(away)
    open_references(settled_root, "fake")
    away.rename(settled_root / "train2014")  # into another of the usual places
    path = open_references(settled_root, "fake").table["image_path"][0].as_py()
    assert Path(path).is_file()
    (settled_root / "train2014").rename(images)
    path = open_references(settled_root, "fake").table["image_path"][0].as_py()
    assert Path(path).is_file()


def test_what_a_reader_consulted_elsewhere_counts(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = settled_root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "one.txt").write_text("one")
    counting = cache.read_references

    def reader(*args: object) -> References:
        references = counting(*args)  # type: ignore[arg-type]  # passed on
        names = ("", "one.txt", "two.txt")
        references.consulted = [elsewhere / name for name in names]
        return references

    monkeypatch.setattr(cache, "read_references", reader)
    changes: list[Callable[[], object]] = [
        lambda: (elsewhere / "one.txt").write_text("two"),
        lambda: (elsewhere / "two.txt").touch(),
        lambda: (elsewhere / "three.txt").touch(),
        lambda: shutil.rmtree(elsewhere),
        lambda: elsewhere.mkdir(),
    ]
    for number, change in enumerate(changes, 1):
        for _ in range(2):
            open_references(settled_root, "fake")
        assert builds.read_text() == "." * number
        change()
    open_references(settled_root, "fake")
    assert builds.read_text() == "." * (len(changes) + 1)


def test_a_folder_that_cannot_be_written(
    settled_root: Path, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder of the cache should be, lies a file: not even root can write there."""
    (settled_root / "fake" / BESIDE).touch()
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        found = open_references(settled_root, "fake")
    assert builds.read_text() == "."
    assert len(list((tmp_path / "cache").rglob("*.arrow"))) == 1
    assert rows(found) == rows(read_references(settled_root, "fake"))


def test_a_folder_that_is_not_to_be_written(
    settled_root: Path, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without permission to write, which the superuser heeds, too."""
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "cache"))
    folder = settled_root / "fake"
    folder.chmod(0o555)
    for _ in range(2):
        assert len(open_references(settled_root, "fake")) == 42
    assert builds.read_text() == "."
    assert not (folder / BESIDE).exists()
    assert len(list((tmp_path / "cache").rglob("*.arrow"))) == 1
    # Nor is a table changed that is there already, though the files have new times.
    folder.chmod(0o755)
    (tmp_path / "cache").rename(tmp_path / "away")
    open_references(settled_root, "fake")
    folder.chmod(0o555)
    os.utime(folder / "instances.json", ns=(10**18 + 5, 10**18 + 5))
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert len(open_references(settled_root, "fake")) == 42
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    assert builds.read_text() == ".."
    folder.chmod(0o755)


def test_nowhere_to_write(
    settled_root: Path,
    builds: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (settled_root / "fake" / BESIDE).touch()
    monkeypatch.setenv("REFSEG_CACHE", str(settled_root / "fake" / BESIDE))
    found = open_references(settled_root, "fake")
    assert rows(found) == rows(read_references(settled_root, "fake"))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith("fake is read anew in each run, as no cache can be written")
    assert "REFSEG_CACHE" in line


def test_a_full_disk(
    settled_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_entry, "write_table", full)
    assert len(open_references(settled_root, "fake")) == 42
    assert "No space left on device" in caplog.text
    assert kept(settled_root) in ([], [".lock"])


def test_a_cache_that_cannot_be_changed_is_used(settled_root: Path, builds: Path) -> None:
    open_references(settled_root, "fake")
    folder = settled_root / "fake" / BESIDE
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    open_references(settled_root, "fake")
    folder.chmod(0o755)
    assert builds.read_text() == "."


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
