"""PhraseCut: several instances, wrong sizes, and every way in which a record can be wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from refseg.data.datamodule import ReferringDataModule
from refseg.data.images import image_size
from refseg.data.readers.phrasecut import read_phrasecut
from refseg.errors import DataError
from refseg.masks import decode

from ..fake_phrasecut import content, square, write_fake_phrasecut, write_images, write_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fake_phrasecut(tmp_path)


def test_reads_the_fake_set(root: Path) -> None:
    references = read_phrasecut(root, "phrasecut")
    assert repr(references) == "References(5 expressions, 5 references, 4 images)"
    assert references.splits == ("train", "val", "test", "miniv")
    assert len(references.split("val_miniv")) == 2
    row = references.table.to_pylist()[0]
    assert (row["expression"], row["raw"]) == ("wooden table", "wooden Table")
    assert row["expression_id"] == row["reference_id"] == 610_000_000
    assert (row["annotation_ids"], row["category_ids"]) == ([1000, 2000], [])
    assert (row["image_id"], row["height"], row["width"]) == (61, 40, 50)
    assert row["image_path"] == str(root / "phrasecut" / "images" / "61.jpg")
    assert row["mask_kind"] == "mask"
    names = ["table", "sky", "building", "hand", "zebras"]
    assert references.table["category"].to_pylist() == names


@pytest.mark.parametrize(
    "structure", [None, [], {}, {"name": 3}, {"name": " "}, {"name": "x" * 999}]
)
def test_a_phrase_without_a_class(tmp_path: Path, structure: object) -> None:
    files = content()
    files["refer_train"][0]["phrase_structure"] = structure
    write_json(tmp_path / "phrasecut", files)
    categories = read_phrasecut(tmp_path, "phrasecut").table["category"].to_pylist()
    assert categories[:2] == [None, "sky"]


def test_the_mask_is_drawn_as_published(root: Path) -> None:
    """By hand: corners cut to whole pixels, outline included, clipped at the border, united."""
    expected = np.zeros((40, 50), bool)
    expected[3:9, 2:8] = True  # from (2.2, 3.9) to (7.2, 8.9)
    expected[22:27, 12:17] = True
    expected[20:40, 46:50] = True
    references = read_phrasecut(root, "phrasecut")
    np.testing.assert_array_equal(decode(references.truth(0)), expected)


def test_a_wrong_size_is_reported_and_put_right(root: Path) -> None:
    references = read_phrasecut(root, "phrasecut")
    (note,) = references.notes
    assert note.endswith("2400003.jpg has 30 × 60 pixels, not 60 × 30; its own size was taken.")
    row = references.split("val").table.to_pylist()[0]
    assert (row["height"], row["width"]) == (60, 30)
    (root / "phrasecut" / "images" / "2400003.jpg").unlink()
    references = read_phrasecut(root, "phrasecut")
    assert references.notes == ()
    row = references.split("val").table.to_pylist()[0]
    assert (row["height"], row["width"]) == (30, 60)


def test_images_in_the_two_folders_of_visual_genome(tmp_path: Path) -> None:
    write_json(tmp_path / "phrasecut", content())
    write_images(tmp_path / "VG_100K")
    (tmp_path / "VG_100K_2").mkdir()
    (tmp_path / "VG_100K" / "61.jpg").rename(tmp_path / "VG_100K_2" / "61.jpg")
    for path in read_phrasecut(tmp_path, "phrasecut").table["image_path"].to_pylist():
        assert Path(path).is_file()


def test_images_in_zip_files(root: Path) -> None:
    """As Visual Genome's two archives are published."""
    images = root / "phrasecut" / "images"
    with ZipFile(root / "images.zip", "w") as first, ZipFile(root / "images2.zip", "w") as second:
        for path in sorted(images.iterdir()):
            archive, folder = (first, "VG_100K") if path.stem == "61" else (second, "VG_100K_2")
            archive.write(path, f"{folder}/{path.name}")
            path.unlink()
    images.rmdir()
    references = read_phrasecut(root, "phrasecut")
    assert len(references.notes) == 1
    for path in references.table["image_path"].to_pylist():
        assert image_size(Path(path))


def test_some_splits_are_enough(tmp_path: Path) -> None:
    files = content()
    write_json(tmp_path / "phrasecut", {"image_data_split3000": files["image_data_split3000"]})
    with pytest.raises(DataError, match=r"none of the files refer_\{train,val,test,miniv\}\.json"):
        read_phrasecut(tmp_path, "phrasecut")
    write_json(tmp_path / "phrasecut", {"refer_miniv": files["refer_miniv"]})
    assert read_phrasecut(tmp_path, "phrasecut").splits == ("miniv",)
    with pytest.raises(DataError, match="one partition only"):
        read_phrasecut(tmp_path, "phrasecut", "unc")


def test_to_a_batch(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ReferringDataModule(
        root, "phrasecut", val_splits=["val_miniv"], image_size=48, batch_size=4, num_workers=0
    )
    data.setup("fit")
    (batch,) = data.val_dataloader()
    assert batch.expressions == ("window on building", "two zebras")
    assert batch.masks is not None
    assert batch.masks.flatten(1).any(1).all()
    assert data.split_names == ["val", "test", "miniv"]
    assert "its own size was taken." in capsys.readouterr().err


Change = Callable[[dict[str, Any]], object]


def task(files: dict[str, Any], **changed: object) -> None:
    files["refer_val"][0].update(changed)


BAD: dict[str, tuple[Change, str]] = {
    "no record": (
        lambda files: files["refer_val"].append(3),
        r"refer_val\.json, record 1: expected a record with the key 'task_id', got int 3",
    ),
    "no phrase": (
        lambda files: files["refer_val"][0].pop("phrase"),
        r"refer_val\.json, task_id '2400003__0': the key 'phrase' is missing",
    ),
    "no word": (lambda files: task(files, phrase=" ?"), r"its phrase str ' \?' has no word"),
    "no image": (lambda files: task(files, image_id=7), "its image 7 is not in image_data"),
    "twice": (
        lambda files: task(files, task_id="61__0"),
        "reference id 610000000 occurs twice",
    ),
    "objects": (lambda files: task(files, ann_ids=[1.5]), "expected whole numbers as ann_ids"),
    "no polygons": (lambda files: task(files, Polygons=[[], []]), "no polygon of at least two"),
    "one point": (lambda files: task(files, Polygons=[[[[1, 2]]]]), "no polygon of at least two"),
    "flat": (lambda files: task(files, Polygons=[[[1, 2, 3, 4]]]), r"points \[x, y\] .*got int 1"),
    "no list": (lambda files: task(files, Polygons=[5]), "expected a list of polygons, got int 5"),
    "not a number": (
        lambda files: task(files, Polygons=[[[[1, float("nan")], [2, 3]]]]),
        r"expected a polygon of points \[x, y\] in or near the image, got list \[1, nan\]",
    ),
    "far outside": (
        lambda files: task(files, Polygons=[[square(0, 0, 1e7)]]),
        "in or near the image, got list",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_task_is_named_or_skipped(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    files = content()
    change(files)
    write_json(tmp_path / "phrasecut", files)
    with pytest.raises(DataError, match=message):
        read_phrasecut(tmp_path, "phrasecut")
    references = read_phrasecut(tmp_path, "phrasecut", on_bad_record="skip")
    assert len(references.skipped) == 1
    assert len(references) >= 4


def test_a_line_of_two_points_is_drawn(tmp_path: Path) -> None:
    files = content()
    task(files, Polygons=[[[[3, 4], [9, 4]]]])
    write_json(tmp_path / "phrasecut", files)
    mask = decode(read_phrasecut(tmp_path, "phrasecut").split("val").truth(0))
    assert mask.sum() == 7
    assert mask[4, 3:10].all()


def test_a_bad_image_record(tmp_path: Path) -> None:
    files = content()
    files["image_data_split3000"][1]["height"] = 10**9
    write_json(tmp_path / "phrasecut", files)
    with pytest.raises(DataError, match=r"image number 1: an image of .* cannot have a mask"):
        read_phrasecut(tmp_path, "phrasecut")
    references = read_phrasecut(tmp_path, "phrasecut", on_bad_record="skip")
    assert len(references.skipped) == 2, "the image, and the task on it"


@pytest.mark.parametrize("cut", [1, 300, 700])
def test_a_file_that_was_cut_short(root: Path, cut: int) -> None:
    path = root / "phrasecut" / "refer_train.json"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"refer_train\.json.*may have been cut short"):
        read_phrasecut(root, "phrasecut", on_bad_record="skip")
