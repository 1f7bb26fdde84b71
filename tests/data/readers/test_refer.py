"""The REFER layout: fake data, real data, and every way in which a file can be wrong."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from refseg.data.dataset import ReferringDataset
from refseg.data.readers.refer import read_refer
from refseg.errors import DataError
from refseg.masks import decode

from ..fake_refer import annotations, python2_pickle, write_annotations


def test_reads_the_fake_set(fake_root: Path) -> None:
    references = read_refer(fake_root, "fake", "unc")
    assert repr(references) == "References(42 expressions, 21 references, 7 images)"
    assert references.splits == ("train", "val", "testA", "testB")
    assert len(references.split("train")) == 24
    assert references.source == "fake (unc)"
    row = references.table.slice(3, 1).to_pylist()[0]
    path = fake_root / "images" / "train2014" / "COCO_train2014_000000000001.jpg"
    assert (row["expression"], row["raw"]) == ("café table", "Café Table")
    assert (row["expression_id"], row["reference_id"], row["image_id"]) == (103, 1, 1)
    assert (row["annotation_ids"], row["category_ids"]) == ([11], [2])
    assert (row["image_path"], row["height"], row["width"]) == (str(path), 40, 60)
    assert path.is_file()


def test_masks_are_unions(fake_root: Path) -> None:
    """By hand: rectangles 15–25 and 20–30 wide make 15–30; the last is run lengths."""
    references = read_refer(fake_root, "fake")
    overlapping = np.zeros((40, 60), bool)
    overlapping[10:20, 15:30] = True
    np.testing.assert_array_equal(decode(references.truth(3)), overlapping)
    encoded = np.zeros((40, 60), bool)
    encoded[5:20, 3:9] = True
    np.testing.assert_array_equal(decode(references.truth(5)), encoded)


@pytest.mark.parametrize(
    ("dataset", "split_by", "counts"),
    [
        ("refcoco", "unc", {"val": (13, 36), "testA": (4, 12), "testB": (8, 26)}),
        ("refcocog", "umd", {"val": (8, 15)}),
        ("refcocog", "google", {"val": (9, 9)}),
    ],
)
def test_real_records(
    shared: Path, dataset: str, split_by: str, counts: dict[str, tuple[int, int]]
) -> None:
    references = read_refer(shared / "data" / "pocket", dataset, split_by)
    assert references.splits == tuple(counts)
    for name, (objects, expressions) in counts.items():
        split = references.split(name)
        assert len(set(split.table["reference_id"].to_pylist())) == objects
        assert len(split) == expressions
    instances = json.loads((shared / "data" / "pocket" / dataset / "instances.json").read_text())
    areas = {one["id"]: one["area"] for one in instances["annotations"]}
    for row in references.table.to_pylist():
        with Image.open(row["image_path"]) as image:
            assert image.size == (row["width"], row["height"])
    for position, (annotation,) in enumerate(references.table["annotation_ids"].to_pylist()):
        pixels = int(decode(references.truth(position)).sum())
        # Polygons say where borders lie, pixels are whole: they differ by part of the outline.
        assert pixels == pytest.approx(areas[annotation], rel=0.05, abs=30)


def test_real_counts(shared: Path) -> None:
    pocket = read_refer(shared / "data" / "pocket", "refcoco")
    assert repr(pocket) == "References(74 expressions, 25 references, 9 images)"
    pool = read_refer(shared / "data" / "pool", "pool", "pool")
    assert repr(pool) == "References(3353 expressions, 1155 references, 373 images)"
    counts = {
        name: len(set(pool.split(name).table["reference_id"].to_pylist())) for name in pool.splits
    }
    assert counts == {"train": 1016, "val": 139}


@pytest.mark.parametrize(
    "folder",
    ["images/mscoco/images/train2014", "train2014", "images/saiapr_tc-12", "images/fake", "images"],
)
def test_finds_images_where_people_keep_them(own_root: Path, folder: str) -> None:
    images = own_root / "images" / "train2014"
    images.rename(own_root / "moved")
    (own_root / folder).parent.mkdir(parents=True, exist_ok=True)
    if folder == "images":
        (own_root / "images").rmdir()
    (own_root / "moved").rename(own_root / folder)
    path = read_refer(own_root, "fake").table["image_path"][0].as_py()
    assert Path(path).parent == own_root / folder
    assert Path(path).is_file()


def test_prefers_the_folder_that_has_the_images(own_root: Path) -> None:
    """A root with COCO and with ReferIt's photographs."""
    (own_root / "images" / "train2014").rename(own_root / "images" / "saiapr_tc-12")
    (own_root / "images" / "train2014").mkdir()
    path = read_refer(own_root, "fake").table["image_path"][0].as_py()
    assert Path(path).parent.name == "saiapr_tc-12"


def test_names_what_is_there(own_root: Path) -> None:
    with pytest.raises(DataError, match=r"The folder .*nowhere is absent; .*--data\.root"):
        read_refer(own_root / "nowhere", "fake")
    with pytest.raises(DataError, match=r"no folder 'refcoco' with annotations; it has fake\."):
        read_refer(own_root, "refcoco")
    with pytest.raises(DataError, match=r"no refs\(umd\)\.p; refs\(unc\)\.p is there\."):
        read_refer(own_root, "fake", "umd")
    write_annotations(own_root, *annotations(), split_by="google")
    there = r"refs\(google\)\.p, refs\(unc\)\.p are there"
    with pytest.raises(DataError, match=rf"no refs\(umd\)\.p; {there}"):
        read_refer(own_root, "fake", "umd")
    with pytest.raises(DataError, match=rf"several partitions \({there}\)"):
        read_refer(own_root, "fake")
    (own_root / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no refs\(\*\)\.p"):
        read_refer(own_root, "empty")
    with pytest.raises(DataError, match=r"it has none of this kind"):
        read_refer(own_root / "images", "fake")


def test_missing_or_broken_files(own_root: Path) -> None:
    instances = own_root / "fake" / "instances.json"
    content = instances.read_bytes()
    instances.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"instances\.json is not complete JSON"):
        read_refer(own_root, "fake")
    instances.write_bytes(b"[]")
    with pytest.raises(
        DataError, match=r"instances\.json: expected a record .* 'images', got list"
    ):
        read_refer(own_root, "fake")
    instances.unlink()
    with pytest.raises(DataError, match=r"instances\.json is absent"):
        read_refer(own_root, "fake")
    instances.write_bytes(content)
    (own_root / "fake" / "refs(unc).p").write_bytes(python2_pickle({"refs": []}))
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: expected a list of references, got dict"):
        read_refer(own_root, "fake")


def test_no_images(own_root: Path) -> None:
    (own_root / "images").rename(own_root / "pictures")
    with pytest.raises(DataError, match=r"no folder of images; put them .*images/train2014"):
        read_refer(own_root, "fake")


Change = Callable[[list[dict[str, Any]], dict[str, Any]], object]


def _set(records: object, *path: object) -> None:
    *way, key, value = path
    place: Any = records
    for step in way:
        place = place[step]
    place[key] = value


WRONG_RECORDS: dict[str, tuple[Change, str]] = {
    "no ann_id": (lambda r, i: r[4].pop("ann_id"), "ref_id 4: the key 'ann_id' is missing"),
    "no ref_id": (lambda r, i: r[4].pop("ref_id"), "record 4: the key 'ref_id' is missing"),
    "text as id": (
        lambda r, i: _set(r, 4, "image_id", "2"),
        "ref_id 4: expected 'image_id' to be of type int, got str '2'",
    ),
    "truth value as id": (lambda r, i: _set(r, 4, "ann_id", True), "ref_id 4: expected 'ann_id'"),
    "huge id": (lambda r, i: _set(r, 4, "category_id", 2**80), "ref_id 4: expected 'category_id'"),
    "list of ids": (lambda r, i: _set(r, 4, "ann_id", [20]), "ref_id 4: expected 'ann_id'"),
    "unknown annotation": (
        lambda r, i: _set(r, 4, "ann_id", 999),
        "ref_id 4: its ann_id 999 is not in .*instances.json",
    ),
    "unknown image": (lambda r, i: _set(r, 4, "image_id", 99), "ref_id 4: its image_id 99 is not"),
    "other image": (
        lambda r, i: _set(r, 4, "image_id", 3),
        "ref_id 4: it names image 3, but its annotation 21 .* lies on image 2",
    ),
    "no sentence": (lambda r, i: _set(r, 4, "sentences", []), "ref_id 4: it has no sentence"),
    "empty sentence": (
        lambda r, i: _set(r, 4, "sentences", 1, "sent", "  "),
        "ref_id 4: its sentence 110 has no word: '  '",
    ),
    "dots": (lambda r, i: _set(r, 4, "sentences", 1, "sent", "..."), "sentence 110 has no word"),
    "sentence as text": (
        lambda r, i: _set(r, 4, "sentences", ["red"]),
        "ref_id 4: expected a record with the key 'sent_id', got str 'red'",
    ),
    "no raw": (lambda r, i: r[4]["sentences"][0].pop("raw"), "ref_id 4: the key 'raw' is missing"),
    "number as sentence": (
        lambda r, i: _set(r, 4, "sentences", 0, "sent", 5),
        "ref_id 4: expected 'sent' to be of type str, got int 5",
    ),
    "sentence twice": (
        lambda r, i: _set(r, 4, "sentences", 1, "sent_id", 109),
        "ref_id 4: its expression id 109 occurs twice",
    ),
    "reference twice": (lambda r, i: r.append(r[4]), "ref_id 4: its reference id 4 occurs twice"),
    "not a record": (lambda r, i: _set(r, 4, None), "record 4: expected a record with the key"),
    "broken polygon": (
        lambda r, i: _set(i, "annotations", 4, "segmentation", [[1, 2, 3]]),
        "ref_id 4: annotation 21 of .*instances.json: expected a polygon",
    ),
    "image without height": (
        lambda r, i: i["images"][1].pop("height"),
        "instances.json, image number 1: the key 'height' is missing",
    ),
    "image without area": (
        lambda r, i: _set(i, "images", 1, "height", 0),
        "ref_id 3: annotation 20 of .*: an image of 40 × 0 pixels cannot have a mask",
    ),
    "annotation without segmentation": (
        lambda r, i: i["annotations"][4].pop("segmentation"),
        "instances.json, annotation number 4: the key 'segmentation' is missing",
    ),
    "annotation twice": (
        lambda r, i: _set(i, "annotations", 4, "id", 20),
        "instances.json, annotation number 4: an earlier annotation has the same id",
    ),
    "image twice": (
        lambda r, i: _set(i, "images", 1, "id", 1),
        "instances.json, image number 1: an earlier image has the same id",
    ),
}


@pytest.mark.parametrize("case", WRONG_RECORDS)
def test_a_wrong_record_is_named(fake_root: Path, tmp_path: Path, case: str) -> None:
    change, message = WRONG_RECORDS[case]
    (tmp_path / "images").symlink_to(fake_root / "images")
    refs, instances = annotations()
    change(refs, instances)
    write_annotations(tmp_path, refs, instances)
    with pytest.raises(DataError, match=message) as caught:
        read_refer(tmp_path, "fake")
    name = "instances.json" if message.startswith("instances") else "refs(unc).p"
    assert str(caught.value).startswith(str(tmp_path / "fake" / name))


def test_bad_references_are_left_out_on_request(own_root: Path) -> None:
    refs, instances = annotations()
    del refs[2]["image_id"]
    refs[5]["sentences"][0]["sent"] = "…"
    write_annotations(own_root, refs, instances)
    with pytest.raises(DataError, match=r"ref_id 2: the key 'image_id' is missing"):
        read_refer(own_root, "fake")
    references = read_refer(own_root, "fake", on_bad_record="skip")
    left = set(references.table["reference_id"].to_pylist())
    assert left == set(range(len(refs))) - {2, 5}
    assert [message.split("refs(unc).p, ")[1][:9] for message in references.skipped] == [
        "ref_id 2:",
        "ref_id 5:",
    ]
    assert references.split("train").skipped == references.skipped


def zipped(root: Path, folder: str, inside: str) -> None:
    """Put the images into a zip file, in a folder within it or in none, and remove them."""
    images = root / "images" / "train2014"
    (root / folder).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / folder / "train2014.zip", "w") as archive:
        for path in sorted(images.iterdir()):
            archive.write(path, f"{inside}{path.name}")
    shutil.rmtree(images)


@pytest.mark.parametrize("folder", [".", "images", "images/mscoco/images"])
@pytest.mark.parametrize("inside", ["", "train2014/"])
def test_finds_images_in_an_archive(
    own_root: Path, fake_root: Path, folder: str, inside: str
) -> None:
    zipped(own_root, folder, inside)
    references = read_refer(own_root, "fake")
    assert references.fingerprint() == read_refer(fake_root, "fake").fingerprint()
    dataset, original = (
        ReferringDataset(read_refer(root, "fake"), lambda sample: sample)
        for root in (own_root, fake_root)
    )
    for item in range(len(original)):
        np.testing.assert_array_equal(dataset[item].image, original[item].image)
    assert not (own_root / "images" / "train2014").exists()


def test_a_folder_is_preferred_to_an_archive(own_root: Path) -> None:
    shutil.copytree(own_root / "images" / "train2014", own_root / "kept")
    zipped(own_root, "images", "train2014/")
    (own_root / "images" / "train2014").mkdir()  # empty: the archive has the images
    assert ".zip" in read_refer(own_root, "fake").table["image_path"][0].as_py()
    (own_root / "kept").rename(own_root / "train2014")
    assert ".zip" not in read_refer(own_root, "fake").table["image_path"][0].as_py()


def test_a_broken_archive_is_named(own_root: Path) -> None:
    zipped(own_root, "images", "")
    archive = own_root / "images" / "train2014.zip"
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"train2014\.zip is not a complete zip file"):
        read_refer(own_root, "fake")


def test_bad_instances_are_left_out_on_request(own_root: Path) -> None:
    refs, instances = annotations()
    del instances["images"][1]["height"]
    instances["annotations"][0]["id"] = "10"
    write_annotations(own_root, refs, instances)
    references = read_refer(own_root, "fake", on_bad_record="skip")
    left = set(references.table["reference_id"].to_pylist())
    assert left == set(range(21)) - {0, 3, 4, 5}
    assert len(references.skipped) == 2 + 4


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/hostname", "..\\secret.png", "a\0b", "", ".", "\ud800.jpg"]
)
def test_file_names_stay_in_their_folder(own_root: Path, name: str) -> None:
    refs, instances = annotations()
    instances["images"][0]["file_name"] = name
    write_annotations(own_root, refs, instances)
    with pytest.raises(DataError, match="image number 0: its file_name"):
        read_refer(own_root, "fake")


@pytest.mark.parametrize("name", ["", " ", "train|val"])
def test_names_of_splits(own_root: Path, name: str) -> None:
    refs, instances = annotations()
    refs[0]["split"] = name
    write_annotations(own_root, refs, instances)
    with pytest.raises(DataError, match="ref_id 0: expected the name of a split, got"):
        read_refer(own_root, "fake")
