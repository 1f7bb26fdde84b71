"""Paths relative to a root, and back."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refseg.data.cache_fingerprint import Fingerprint
from refseg.data.relative_paths import relative_to_root, under_root

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=5)
PATHS = st.lists(NAMES.filter(lambda name: name not in {".", ".."}), min_size=1, max_size=3)


@settings(max_examples=50, deadline=None)
@given(PATHS, st.sampled_from(["data", "/data", ".", "/", "../data", "data/x"]))
def test_there_and_back(parts: list[str], root: str) -> None:
    path = str(Path(root, *parts))
    (name,) = relative_to_root([path], Path(root))
    assert name == "/".join(parts)
    assert under_root([name], Path(root)) == [path]


def test_absolute_paths_and_relative_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [str(tmp_path / "data" / "a"), "data/b", "/other/c", "other/d", "database/e"]
    assert relative_to_root(paths, Path("data")) == [
        *("a", "b", "/other/c", str(tmp_path / "other" / "d"), str(tmp_path / "database" / "e"))
    ]


def test_links_in_circles_and_hidden_files(tmp_path: Path) -> None:
    folder = tmp_path / "fake" / "deep"
    folder.mkdir(parents=True)
    (folder / "round").symlink_to(tmp_path / "fake")
    (folder / "a.json").write_text("{}")
    (tmp_path / "fake" / ".DS_Store").touch()
    assert list(Fingerprint.before(tmp_path, "fake").files) == ["fake/deep/a.json"]


def test_what_leads_out_of_the_own_folder_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("beside.txt", "mine/inside.txt"):
        (tmp_path / name).touch()
    names = ("mine", "mine/inside.txt", "mine/../beside.txt", "mine2", "beside.txt")
    before = Fingerprint.before(tmp_path, "mine")
    consulted = [tmp_path / name for name in names]
    found = Fingerprint.take(tmp_path, "mine", consulted, None, before)
    assert set(found.files) == {"mine/inside.txt", "mine/../beside.txt", "mine2", "beside.txt"}
    assert found.still(tmp_path, "mine") is not None
    (tmp_path / "mine2").touch()
    assert found.still(tmp_path, "mine") is None
