"""`instances.json` as columns; bad records are left to the reader."""

import json
from pathlib import Path

import numpy as np
import pytest

from refseg.data.objects import read_objects
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
