"""`instances.json` as columns; bad records are left to the reader."""

import json
from pathlib import Path

import numpy as np
import pytest

from refseg.data import objects as objects_module
from refseg.data.objects import Objects, read_objects
from refseg.errors import DataError


def write(root: Path, content: object) -> None:
    (root / "set").mkdir(exist_ok=True)
    (root / "set" / "instances.json").write_text(json.dumps(content))


def test_columns(tmp_path: Path) -> None:
    good = {"id": 1, "image_id": 7, "category_id": 3, "area": 2.5}
    bad = [{}, 3, {**good, "id": "x"}, {**good, "id": 2**70}]
    others = [{**good, "id": 2, "area": -1}, {**good, "id": 3, "area": None}]
    categories = [{"id": 3, "name": "dog"}, {"id": 4}, 5]
    write(tmp_path, {"annotations": [good, *bad, *others], "categories": categories})
    objects = read_objects(tmp_path, "set")
    assert objects is not None
    assert objects.annotation_ids.tolist() == [1, 2, 3]
    assert objects.image_ids.tolist() == [7, 7, 7]
    assert objects.category_ids.tolist() == [3, 3, 3]
    assert objects.areas[0] == 2.5
    assert np.isnan(objects.areas[1:]).all()
    assert objects.categories == {3: "dog"}


def test_without_categories(tmp_path: Path) -> None:
    write(tmp_path, {"annotations": []})
    objects = read_objects(tmp_path, "set")
    assert objects is not None
    assert (len(objects.annotation_ids), objects.categories) == (0, {})


def test_without_the_file(tmp_path: Path) -> None:
    assert read_objects(tmp_path, "set") is None


@pytest.mark.parametrize("content", [[], {}, {"annotations": 3}])
def test_what_is_no_such_file(content: object, tmp_path: Path) -> None:
    write(tmp_path, content)
    with pytest.raises(DataError, match=r"instances\.json"):
        read_objects(tmp_path, "set")


LARGE = {
    "annotations": [
        {"id": number, "image_id": number % 9, "category_id": 1 + number % 2}
        for number in range(99)
    ],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "Käse"}],
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


def assert_same(one: Objects | None, other: Objects | None) -> None:
    assert one is not None
    assert other is not None
    for name in ("annotation_ids", "image_ids", "category_ids", "areas"):
        column = getattr(one, name)
        np.testing.assert_array_equal(column, getattr(other, name))
        assert column.dtype == getattr(other, name).dtype
    assert one.categories == other.categories


def test_a_file_is_parsed_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, LARGE)
    first = read_objects(tmp_path, "set")
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(objects_module, "_parsed", None)  # which cannot be called
    assert_same(read_objects(tmp_path, "set"), first)
    assert first is not None
    assert first.categories == {1: "dog", 2: "Käse"}


def test_a_changed_file_is_parsed_again(tmp_path: Path, cache: Path) -> None:
    write(tmp_path, LARGE)
    read_objects(tmp_path, "set")
    changed = {**LARGE, "categories": [{"id": 1, "name": "cat"}]}
    write(tmp_path, changed)
    objects = read_objects(tmp_path, "set")
    assert objects is not None
    assert objects.categories == {1: "cat"}


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.99])
def test_a_damaged_cache_is_made_again(tmp_path: Path, cache: Path, place: float) -> None:
    write(tmp_path, LARGE)
    first = read_objects(tmp_path, "set")
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    path.write_bytes(content)
    assert_same(read_objects(tmp_path, "set"), first)
    path.write_bytes(content[: int(place * len(content))])
    assert_same(read_objects(tmp_path, "set"), first)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "file"))
    write(tmp_path, LARGE)
    assert read_objects(tmp_path, "set") is not None
