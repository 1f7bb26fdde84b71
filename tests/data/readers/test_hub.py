"""Parquet as on the Hugging Face hub: the same table as from REFER's own files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers.hub import read_hub
from refseg.data.readers.pickles import load_python2_pickle
from refseg.data.readers.refer import read_refer
from refseg.data.references import References
from refseg.errors import DataError

from ..fake_hub import FILES, SCHEMA, rows, write_fake_hub, write_parquet
from ..fake_refer import annotations


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fake_hub(tmp_path)


def sorted_rows(references: References) -> list[dict[str, Any]]:
    table = references.table.to_pylist()
    for row in table:
        row["image_path"] = Path(row["image_path"]).name
        row["source"] = ""
        del row["category"]
    return sorted(table, key=lambda row: row["expression_id"])


def test_is_what_refer_is(root: Path, fake_root: Path) -> None:
    references = read_hub(root, "refcoco")
    assert references.splits == ("train", "val", "testA", "testB")
    assert references.source == "refcoco (unc)"
    assert sorted_rows(references) == sorted_rows(read_refer(fake_root, "fake", "unc"))
    for path in references.table["image_path"].to_pylist():
        assert Path(path).is_file()
    names = {1: "person", 2: "bicycle", 3: "car"}  # COCO's
    for row in references.table.to_pylist():
        (category,) = row["category_ids"]
        assert row["category"] == names[category]


def test_other_data_has_other_classes(root: Path) -> None:
    (root / "refcoco").rename(root / "mine")
    assert set(read_hub(root, "mine").table["category"].to_pylist()) == {None}


def test_real_records(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "pocket" / "refcoco"
    refs = load_python2_pickle(folder / "refs(unc).p")
    instances = json.loads((folder / "instances.json").read_text())
    write_parquet(tmp_path / "refcoco", rows(refs, instances))  # type: ignore[arg-type]  # a list
    (tmp_path / "images").mkdir()
    published = read_refer(shared / "data" / "pocket", "refcoco", "unc")
    assert sorted_rows(read_hub(tmp_path, "refcoco")) == sorted_rows(published)


def one_file(root: Path, dataset: str, name: str, split: str) -> None:
    refs, instances = annotations()
    content = [{**row, "split": split} for row in rows(refs[:2], instances)]
    (root / dataset).mkdir(exist_ok=True)
    (root / "images").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(content, SCHEMA), root / dataset / name)


@pytest.mark.parametrize(
    ("dataset", "name", "says", "split"),
    [
        ("refcoco", "test-00000-of-00001.parquet", "testA", "testA"),
        ("refcoco", "test-00000-of-00001-82af0c1b600890ac.parquet", "test", "testA"),
        ("refcocoplus", "test.parquet", "testA", "testA"),
        ("refcoco+", "testA.parquet", "testA", "testA"),
        ("refcocog", "test-00000-of-00001.parquet", "test", "test"),
        ("refcocog", "validation.parquet", "val", "val"),
        ("refcocog", "val.parquet", "validation", "val"),
        ("mine", "test.parquet", "test", "test"),
    ],
)
def test_names_of_splits(tmp_path: Path, dataset: str, name: str, says: str, split: str) -> None:
    one_file(tmp_path, dataset, name, says)
    assert read_hub(tmp_path, dataset).splits == (split,)


def test_a_file_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    one_file(tmp_path, "refcoco", "train.parquet", "val")
    with pytest.raises(
        DataError, match="expected the split 'train', as its file says, got str 'val'"
    ):
        read_hub(tmp_path, "refcoco")


def test_partitions(root: Path) -> None:
    assert read_hub(root, "refcoco", "unc").source == "refcoco (unc)"
    with pytest.raises(DataError, match="has the partition 'unc', not 'google'"):
        read_hub(root, "refcoco", "google")


def test_two_versions_of_a_file(root: Path) -> None:
    one_file(root, "refcoco/data", "train-00000-of-00001-381ef1aeb196febd.parquet", "train")
    with pytest.raises(DataError, match=r"expected one file for the split 'train'.* keep those"):
        read_hub(root, "refcoco")


def test_parts_of_a_file(tmp_path: Path) -> None:
    refs, instances = annotations()
    content = [row for row in rows(refs, instances) if row["split"] == "train"]
    (tmp_path / "refcoco").mkdir()
    (tmp_path / "images").mkdir()
    for part in range(2):
        name = f"train-0000{part}-of-00002.parquet"
        table = pa.Table.from_pylist(content[part::2], SCHEMA)
        pq.write_table(table, tmp_path / "refcoco" / name)
    assert len(read_hub(tmp_path, "refcoco")) == 24
    (tmp_path / "refcoco" / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="each part of it once"):
        read_hub(tmp_path, "refcoco")


def test_images_where_people_keep_train2014(root: Path) -> None:
    (root / "images").mkdir()
    (root / "coco" / "train2014").rename(root / "images" / "train2014")
    for path in read_hub(root, "refcoco").table["image_path"].to_pylist():
        assert Path(path).is_file()


def test_to_a_batch(root: Path) -> None:
    data = ReferringDataModule(root, "refcoco", image_size=48, batch_size=4, num_workers=0)
    data.setup("test")
    assert data.split_names == ["val", "testA", "testB"]
    (batch,) = data.test_dataloader()[1]
    assert batch.expression_ids == tuple(range(124, 130))
    assert batch.masks is not None
    assert batch.masks.flatten(1).any(1).all()


def _json(name: str, **changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda row: row.update({name: json.dumps(json.loads(row[name]) | changed)})


BAD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no id": (lambda row: row.update(ref_id=None), "row 1: expected 'ref_id' to be of type int"),
    "twice": (lambda row: row.update(ref_id=0), "ref_id 0: its reference id 0 occurs twice"),
    "object": (_json("raw_anns", id=99), "ref_id 1: expected raw_anns of id 11, got int 99"),
    "image": (_json("raw_anns", image_id=9), "expected raw_anns of image_id 1, got int 9"),
    "no JSON": (
        lambda row: row.update(raw_anns="{'id': 1}"),
        "ref_id 1: raw_anns: this is not complete JSON",
    ),
    "deep JSON": (
        lambda row: row.update(raw_anns="[" * 100_000),
        "ref_id 1: raw_anns: this is not complete JSON",
    ),
    "no object": (lambda row: row.update(raw_image_info="[]"), "a JSON object in 'raw_image_info'"),
    "size": (_json("raw_image_info", height=10**9), "pixels cannot have a mask"),
    "infinite": (_json("raw_anns", segmentation=[[float("inf"), 1, 2, 3, 4, 5]]), "by far"),
    "file": (
        _json("raw_image_info", file_name="../../x.jpg"),
        "expected the name of an image",
    ),
    "no word": (
        lambda row: row["sentences"][0].update(sent="..."),
        "ref_id 1: its sentence 103 has no word",
    ),
    "no sentence": (lambda row: row.update(sentences=[]), "ref_id 1: it has no sentence"),
    "sentence twice": (
        lambda row: row["sentences"][0].update(sent_id=104),
        "ref_id 1: its expression id 104 occurs twice",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named_or_skipped(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    content = rows(*annotations())
    content[1]["sentences"] = [dict(sentence) for sentence in content[1]["sentences"]]
    change(content[1])
    write_parquet(tmp_path / "refcoco", content)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=rf"train-00000.*\.parquet, .*{message}"):
        read_hub(tmp_path, "refcoco")
    references = read_hub(tmp_path, "refcoco", on_bad_record="skip")
    assert len(references.skipped) == 1
    assert len(references) == 40


def test_files_that_are_no_such_parquet(root: Path) -> None:
    path = root / "refcoco" / "data" / FILES["val"]
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"validation-.* is not a complete parquet file"):
        read_hub(root, "refcoco", on_bad_record="skip")
    half = len(content) // 2
    path.write_bytes(content[:100] + b"\xff" * (half - 100) + content[half:])
    with pytest.raises(DataError, match=r"validation-.*parquet"):
        read_hub(root, "refcoco")
    table = pa.table({"question\nraw": ["which?"], "image_id": [1]})
    pq.write_table(table, path)
    expected = (
        r"the columns ref_id, .* are missing; .*got the columns 'question\\nraw', 'image_id'\."
    )
    with pytest.raises(DataError, match=expected):
        read_hub(root, "refcoco")
    with pytest.raises(DataError, match=r"has no files such as train-00000-of-00001\.parquet"):
        read_hub(root, "refcocog")
