"""Where no cache can be written, or may be changed, the data set is read all the same."""

import os
from pathlib import Path

import pytest

from refseg.data import cache_entry
from refseg.data.cache import BESIDE, open_references
from refseg.data.readers import read_references

from .cached_tables import kept, rows


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
