"""Which changes of a data set make its table anew, and which do not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data import cache, cache_entry
from refseg.data.cache import open_references
from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.errors import DataError

from .cached_tables import kept, rows
from .fake_refer import annotations, write_annotations


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


def test_another_format_makes_it_anew(
    settled_root: Path, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_references(settled_root, "fake")
    monkeypatch.setattr(cache_entry, "FORMAT", cache_entry.FORMAT + 1)
    open_references(settled_root, "fake")
    assert builds.read_text() == ".."
    assert kept(settled_root).count(".arrow") == 1, "the old one is removed"
