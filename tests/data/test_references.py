"""The table: splits, images, and a fingerprint of its content alone."""

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from refseg.data.references import References
from refseg.data.schema import SCHEMA
from refseg.errors import DataError
from refseg.masks import encode

from . import tables

RLES = [encode(np.eye(4, dtype=bool)), encode(np.ones((4, 4), bool))]


def table(
    splits: str = "train val train testB",
    images: str = "b a b c",
    folder: str = "/data",
    **changed: object,
) -> References:
    names = splits.split()
    count = len(names)
    columns: dict[str, Any] = {
        "source": ["fake (unc)"] * count,
        "expression_id": range(count),
        "reference_id": [number // 2 for number in range(count)],
        "annotation_ids": [[number] for number in range(count)],
        "category_ids": [[1], [], [2, 3], [1]][:count],
        "image_id": [ord(name) for name in images.split()],
        "split": names,
        "expression": [f"thing {number}" for number in range(count)],
        "raw": [f"Thing {number}!" for number in range(count)],
        "image_path": [f"{folder}/{name}.jpg" for name in images.split()],
        "height": [4] * count,
        "width": [4] * count,
        "rle": [RLES[number % 2].counts for number in range(count)],
    }
    return References.from_columns(columns | changed)


def test_columns_come_back() -> None:
    references = table()
    assert references.table.schema == SCHEMA
    assert references.expressions.to_pylist() == ["thing 0", "thing 1", "thing 2", "thing 3"]
    assert references.truth(2) == RLES[0]
    assert references.truth(3) == RLES[1]
    assert references.record(2) == "fake (unc), ref_id 1, sent_id 2"
    assert references.table["mask_kind"].to_pylist() == ["mask"] * 4
    assert repr(references) == "References(4 expressions, 2 references, 3 images)"


def test_split_keeps_its_rows_only() -> None:
    references = table()
    assert references.splits == ("train", "val", "testB")
    train = references.split("train")
    assert train.splits == ("train",)
    assert train.table["expression_id"].to_pylist() == [0, 2]
    both = references.split(["val", "testB"])
    assert both.table["expression_id"].to_pylist() == [1, 3]


def test_unknown_split_names_those_that_exist() -> None:
    with pytest.raises(DataError) as caught:
        table().split(["train", "testC"])
    assert str(caught.value) == (
        "Unknown split 'testC' of fake (unc); choose one of train, val, testB."
    )
    with pytest.raises(DataError, match=r"Unknown split 'val' of fake .*; choose one of train"):
        table().split("train").split("val")


def test_unions_of_splits_are_names_too() -> None:
    references = table()
    assert references.single_splits(["trainval", "train", "testB"]) == ["train", "val", "testB"]
    assert references.split("trainval").table["expression_id"].to_pylist() == [0, 1, 2]
    assert len(references.split(["train", "trainval"])) == 3, "no row twice"
    with pytest.raises(DataError, match="Unknown split 'val_miniv' of fake"):
        references.split("val_miniv")  # there is no miniv


def test_a_split_of_its_own_comes_before_the_union() -> None:
    references = table("train val trainval testB")
    assert references.split("trainval").table["expression_id"].to_pylist() == [2]


def test_messages_stay_with_the_table() -> None:
    columns = {name: table().table[name].to_pylist() for name in SCHEMA.names}
    first = References.from_columns(columns, skipped=["a is broken"], notes=["b was mended"])
    assert (first.skipped, first.notes) == (("a is broken",), ("b was mended",))
    assert first.split("val").notes == first.notes
    second = References.from_columns(columns, skipped=["c is broken"])
    assert second.notes == ()
    both = References.concat([first, second])
    assert (both.skipped, both.notes) == (("a is broken", "c is broken"), first.notes)


def test_images_in_order_of_appearance() -> None:
    references = table()
    for part in (references, References.concat([references.split("train"), references])):
        rows, offsets = part.images()
        groups = [rows[a:b].tolist() for a, b in pairwise(offsets)]
        paths = part.table["image_path"].to_pylist()
        expected = [
            [row for row, path in enumerate(paths) if path == wanted]
            for wanted in dict.fromkeys(paths)
        ]
        assert groups == expected
    # Of a filtered table, whose dictionary still knows the images that are gone.
    assert references.split("val").images().offsets.tolist() == [0, 1]


def test_images_of_an_empty_table() -> None:
    rows, offsets = References(SCHEMA.empty_table()).images()
    assert (rows.tolist(), offsets.tolist()) == ([], [0])


def test_same_id_in_two_folders_is_two_images() -> None:
    other = table(folder="/other")
    assert len(References.concat([table(), other]).images().offsets) - 1 == 6


def test_fingerprint_is_of_the_content() -> None:
    first = table().fingerprint()
    halves = References.concat([References(table().table[:1]), References(table().table[1:])])
    assert halves.fingerprint() == first
    assert table(folder="/elsewhere").fingerprint() == first
    assert References(table().table.slice(0)).fingerprint() == first


@pytest.mark.parametrize(
    "changed",
    [
        {"expression": ["thing 0", "thing 1", "thing 2", "thing 4"]},
        {"expression": ["thing", " 0thing 1", "thing 2", "thing 3"]},
        {"category_ids": [[1], [2], [3], [1]]},
        {"height": [4, 4, 4, 5]},
        {"rle": [RLES[0].counts] * 4},
        {"mask_kind": ["mask", "mask", "box", "mask"]},
        {"images": "b a b d"},
        {"splits": "train val train testA"},
    ],
)
def test_fingerprint_sees_every_column(changed: dict[str, Any]) -> None:
    assert table(**changed).fingerprint() != table().fingerprint()


def test_chosen_rows() -> None:
    references = table().select(np.array([3, 0, 2]))
    assert len(references) == 3
    assert references.table["expression_id"].to_pylist() == [3, 0, 2]
    assert references.expressions.to_pylist() == ["thing 3", "thing 0", "thing 2"]
    assert references.splits == ("train", "testB")
    assert references.truth(0) == RLES[1]
    assert references.record(2) == "fake (unc), ref_id 1, sent_id 2"
    rows, offsets = references.images()
    assert (rows.tolist(), offsets.tolist()) == ([0, 1, 2], [0, 1, 3])
    train = references.split("train").select(np.array([1]))
    assert train.table["expression_id"].to_pylist() == [2]
    assert train.take(np.array([0]), ["expression"]).to_pylist() == [{"expression": "thing 2"}]
    assert train.fingerprint() == References(table().table.slice(2, 1)).fingerprint()
    assert pickle.loads(pickle.dumps(train)).table.equals(train.table)
    for wrong in ([3], [-1]):
        with pytest.raises(IndexError, match="rows from 0 to 2"):
            references.select(np.array(wrong))


def test_survives_being_sent_to_a_worker_and_written(tmp_path: Path) -> None:
    references = table()
    sent = pickle.loads(pickle.dumps(references))
    assert sent.table.equals(references.table)
    with (
        pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file,
        pa.ipc.new_file(file, SCHEMA) as writer,
    ):
        writer.write_table(references.table)
    with pa.memory_map(str(tmp_path / "t.arrow")) as mapped:
        assert References(pa.ipc.open_file(mapped).read_all()).fingerprint() == (
            references.fingerprint()
        )


def test_a_row_may_belong_to_several_splits() -> None:
    references = table("train testA|testB testB testA")
    assert references.splits == ("train", "testA", "testB")
    for wanted, ids in {
        "testA": [1, 3],
        "testB": [1, 2],
        "train": [0],
        ("testA", "testB"): [1, 2, 3],
    }.items():
        part = references.split(wanted if isinstance(wanted, str) else list(wanted))
        assert part.table["expression_id"].to_pylist() == ids
    with pytest.raises(DataError, match=r"Unknown split 'testA\|testB' .* train, testA, testB\."):
        references.split("testA|testB")
    with pytest.raises(DataError, match="Unknown split 'test' of"):
        references.split("test")


def test_first_expressions_are_of_the_last_reference_to_each_object() -> None:
    rows = [
        {"expression_id": 10, "reference_id": 1, "annotation_ids": [5]},
        {"expression_id": 11, "reference_id": 1, "annotation_ids": [5]},
        {"expression_id": 12, "reference_id": 2, "annotation_ids": [6]},
        {"expression_id": 13, "reference_id": 3, "annotation_ids": [5]},  # the object again
        {"expression_id": 14, "reference_id": 3, "annotation_ids": [5]},
        {"expression_id": 15, "reference_id": 4, "annotation_ids": []},  # nothing
        {"expression_id": 16, "reference_id": 5, "annotation_ids": []},
        {"expression_id": 17, "reference_id": 6, "annotation_ids": [5, 6]},
    ]
    assert sorted(tables.table(rows).first_expression_ids().tolist()) == [12, 13, 15, 16, 17]
