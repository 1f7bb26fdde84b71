"""One's own data: every form of mask and of table, and messages that name the line."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers.folder import read_folder
from refseg.data.references import References
from refseg.errors import DataError
from refseg.masks import decode

from ...conftest import TINY
from ..fake_folder import (
    POLYGON,
    mask,
    records,
    run_lengths,
    write_csv,
    write_fake_folder,
    write_files,
    write_jsonl,
)

OTHER = [[1.0, 1.0, 9.0, 1.0, 9.0, 4.0]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fake_folder(tmp_path)


def check(references: References, root: Path) -> None:
    """The table of `records`."""
    rows = references.table.to_pylist()
    assert [row["expression"] for row in rows] == [one["expression"] for one in records()]
    assert [row["split"] for row in rows] == ["train", "train", "val", "test"]
    assert [row["expression_id"] for row in rows] == [1, 2, 3, 4]
    assert [row["reference_id"] for row in rows] == [1, 1, 3, 4], "one dog, a file and run lengths"
    assert [row["annotation_ids"] for row in rows] == [[1], [1], [3], []]
    assert [row["image_id"] for row in rows] == [0, 0, 1, 1]
    assert [(row["width"], row["height"]) for row in rows] == [(40, 30)] * 2 + [(24, 36)] * 2
    assert references.source == "mine"
    assert rows[0]["image_path"] == str(root / "mine" / "dog.jpg")
    np.testing.assert_array_equal(decode(references.truth(0)), mask("dog.jpg"))
    np.testing.assert_array_equal(decode(references.truth(1)), mask("dog.jpg"))
    polygon = np.zeros((36, 24), bool)
    polygon[3:13, 2:12] = True
    np.testing.assert_array_equal(decode(references.truth(2)), polygon)
    assert not decode(references.truth(3)).any()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(root: Path, delimiter: str, encoding: str) -> None:
    write_csv(root / "mine" / "annotations.csv", records(), delimiter, encoding)
    check(read_folder(root, "mine"), root)


def test_jsonl(root: Path) -> None:
    (root / "mine" / "annotations.csv").unlink()
    write_jsonl(root / "mine" / "annotations.jsonl", records())
    check(read_folder(root, "mine"), root)


def test_the_root_itself(root: Path) -> None:
    check(read_folder(root / "mine", "."), root)


def test_images_in_their_own_folder(root: Path) -> None:
    (root / "mine" / "images").mkdir()
    (root / "mine" / "dog.jpg").rename(root / "mine" / "images" / "dog.jpg")
    path = read_folder(root, "mine").table["image_path"][0].as_py()
    assert path == str(root / "mine" / "images" / "dog.jpg")


def test_lists_of_expressions_and_ids(tmp_path: Path) -> None:
    write_files(tmp_path)
    lines: list[dict[str, Any]] = [
        {"id": 7, "image": "dog.jpg", "expressions": ["dog", " The dog "], "mask": POLYGON},
        {"image": "dog.jpg", "expression": "a dog", "mask": OTHER},
    ]
    write_jsonl(tmp_path / "annotations.jsonl", lines)
    rows = read_folder(tmp_path, ".").table.to_pylist()
    assert [row["reference_id"] for row in rows] == [7, 7, 2]
    assert [row["expression_id"] for row in rows] == [7000, 7001, 2000]
    assert [row["expression"] for row in rows] == ["dog", "The dog", "a dog"]
    assert rows[1]["raw"] == " The dog "
    del lines[0]["expressions"]
    write_jsonl(tmp_path / "annotations.jsonl", [{**lines[0], "expression": "dog"}, lines[1]])
    rows = read_folder(tmp_path, ".").table.to_pylist()
    assert [row["expression_id"] for row in rows] == [7, 2]


def test_categories_are_optional(tmp_path: Path) -> None:
    write_files(tmp_path)
    line = {"image": "dog.jpg", "expression": "a dog", "mask": POLYGON}
    write_jsonl(
        tmp_path / "annotations.jsonl", [{**line, "category": " dog "}, {**line, "mask": OTHER}]
    )
    assert read_folder(tmp_path, ".").table["category"].to_pylist() == ["dog", None]
    write_jsonl(tmp_path / "annotations.jsonl", [{**line, "category": "x" * 101}])
    with pytest.raises(DataError, match="expected 'category' to be a short name"):
        read_folder(tmp_path, ".")


def test_lines_with_the_same_mask_are_one_reference(tmp_path: Path) -> None:
    """Whether it is written as a file, polygons with other spaces, run lengths, or copied."""
    write_files(tmp_path)
    (tmp_path / "masks" / "copy.png").write_bytes((tmp_path / "masks" / "dog.png").read_bytes())
    lines = [
        ("dog.jpg", "the dog", "masks/dog.png", "pet"),
        ("dog.jpg", "a corner", json.dumps(OTHER), ""),
        ("street.png", "a corner there", json.dumps(OTHER), "corner"),
        ("./dog.jpg", "dog, left", "masks/copy.png", ""),
        ("dog.jpg", "lower corner", json.dumps(OTHER, indent=1), "corner"),
        ("dog.jpg", "brown", json.dumps(run_lengths("dog.jpg")), ""),
        ("dog.jpg", "a zebra", "[]", ""),
        ("dog.jpg", "a unicorn", "[]", ""),
    ]
    with (tmp_path / "annotations.csv").open("w") as file:
        csv.writer(file).writerows([("image", "expression", "mask", "category"), *lines])
    references = read_folder(tmp_path, ".")
    assert repr(references) == "References(8 expressions, 5 references, 2 images)"
    rows = {row["expression"]: row for row in references.table.to_pylist()}
    assert {text: (row["reference_id"], row["expression_id"]) for text, row in rows.items()} == {
        "the dog": (1, 1),
        "dog, left": (1, 4),
        "brown": (1, 6),
        "a corner": (2, 2),
        "lower corner": (2, 5),
        "a corner there": (3, 3),
        "a zebra": (7, 7),
        "a unicorn": (8, 8),
    }
    assert rows["brown"]["annotation_ids"] == [1]
    assert rows["a corner"]["category"] == rows["lower corner"]["category"] == "corner"
    assert rows["dog, left"]["category"] == "pet"
    assert rows["a zebra"]["annotation_ids"] == rows["a unicorn"]["annotation_ids"] == []
    with (tmp_path / "annotations.csv").open("a") as file:
        csv.writer(file).writerow(("dog.jpg", "a cat", "masks/dog.png", "cat"))
    with pytest.raises(DataError, match="'cat' here and 'pet' in line 2, which has the same mask"):
        read_folder(tmp_path, ".")
    assert len(read_folder(tmp_path, ".", on_bad_record="skip")) == 8


def test_an_id_on_several_lines(tmp_path: Path) -> None:
    """Lines of one id are one reference; those of other ids are references to the same object."""
    write_files(tmp_path)
    line = {"image": "dog.jpg", "mask": POLYGON, "id": 7}
    lines = [
        {**line, "expression": "dog"},
        {**line, "expression": "the dog"},
        {**line, "expression": "it", "id": "8"},
        {**line, "expression": "the very dog", "id": " 7"},
        {**line, "expression": "brown dog", "id": None},
    ]
    write_jsonl(tmp_path / "annotations.jsonl", lines)
    rows = read_folder(tmp_path, ".").table.to_pylist()
    assert [row["expression"] for row in rows] == [
        *("dog", "the dog", "the very dog", "brown dog", "it"),
    ]
    assert [row["reference_id"] for row in rows] == [7, 7, 7, 7, 8]
    assert [row["expression_id"] for row in rows] == [7000, 7001, 7002, 5000, 8000]
    assert [row["annotation_ids"] for row in rows] == [[7]] * 5
    write_jsonl(tmp_path / "annotations.jsonl", [*lines, {**lines[2], "split": "val"}])
    with pytest.raises(DataError, match="line 6: its object is in the split 'val' here and in 'tr"):
        read_folder(tmp_path, ".")
    many = [{**line, "expression": f"dog {number}"} for number in range(1001)]
    write_jsonl(tmp_path / "annotations.jsonl", many)
    with pytest.raises(DataError, match="line 1001: its id 7 has more than 1000 expressions"):
        read_folder(tmp_path, ".")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_mask_files_of_every_kind(root: Path, mode: str) -> None:
    truth = mask("dog.jpg")
    path = root / "mine" / "masks" / "dog.png"
    if mode == "P":
        image = Image.fromarray(truth * 3).convert("P")
        image.putpalette([255, 255, 255] + [0, 0, 0] * 255)
    elif mode == "I;16":
        image = Image.fromarray(truth.astype(np.uint16) * 256)
    elif mode == "LA":
        image = Image.merge("LA", [Image.fromarray(truth * 255)] * 2)
    else:
        image = Image.fromarray(truth * 255).convert(mode)
    image.save(path)
    references = read_folder(root, "mine")
    np.testing.assert_array_equal(decode(references.truth(0)), truth)


def test_a_transparent_background_may_have_any_colour(root: Path) -> None:
    truth = mask("dog.jpg")
    white = np.full((30, 40, 4), 255, np.uint8)
    white[..., 3] = truth * 255
    Image.fromarray(white).save(root / "mine" / "masks" / "dog.png")
    np.testing.assert_array_equal(decode(read_folder(root, "mine").truth(0)), truth)


def test_to_a_batch(root: Path) -> None:
    data = ReferringDataModule(root, "mine", image_size=48, batch_size=2, num_workers=0)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert batch.expressions == ("the brown dog", "dog, left")
    assert batch.masks is not None
    assert batch.masks.flatten(1).any(1).all()
    (batch,) = data.test_dataloader()[1]
    assert batch.masks is not None
    assert not batch.masks.any(), "a zebra is not there"


def test_trains_from_the_command_line(root: Path) -> None:
    where = ["--data", "data/folder.yaml", f"--data.root={root}"]
    words = ["fit", "--config", "rmi.yaml", *where, *TINY[2:], "--trainer.fast_dev_run=true"]
    assert main([*words, "--output", str(root / "run")]) == 0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"image": "cat.jpg"}, "The image .*cat.jpg is absent"),
    "no name": ({"image": ""}, "expected 'image' to be a text, got str ''"),
    "null byte": ({"image": "a\0b"}, "null"),
    "long name": ({"image": "a" * 300}, "name too long"),
    "no path": ({"mask": "a" * 5000}, "expected 'mask' to be a path, got str 'aaa"),
    "two splits": ({"split": "train|val"}, "a short name without '.', got str 'train.val'"),
    "no text": ({"expression": 5}, "expected 'expression' to be a text, got int 5"),
    "no word": ({"expression": "..."}, r"its expression '\.\.\.' has no word"),
    "both": ({"expressions": ["a"]}, "either 'expression' or 'expressions', got both"),
    "no mask": ({"mask": None}, "expected 'mask' to be the path of a PNG, run lengths or poly"),
    "absent mask": ({"mask": "masks/cat.png"}, r"the mask .*cat\.png is absent"),
    "mask of another size": ({"mask": "masks/street.png"}, "24 × 36 pixels, but its image has 40"),
    "lossy mask": ({"mask": "dog.jpg"}, "is a JPEG, which changes its values; save it as PNG"),
    "no mask file": ({"mask": "annotations.jsonl"}, "cannot read the mask"),
    "run lengths": (
        {"mask": run_lengths("street.png")},
        r"run lengths of size \[30, 40\]",
    ),
    "two points": ({"mask": [[1, 2, 3, 4]]}, "no polygon has three points or more"),
    "infinite": ({"mask": [[1, 2, 3, 4, 5, float("inf")]]}, "leaves the image"),
    "JSON in a text": ({"mask": "[[1, 2"}, "mask: this is not complete JSON"),
    "id": ({"id": 1.5}, "expected 'id' to be a whole number from 0 to 10.15, got float 1.5"),
    "id twice": (
        {"id": 1, "mask": OTHER},
        "its reference id 1 occurs twice, as line 1 has it with another image or mask; give each",
    ),
    "id of a record": ({"id": 1}, "its expression id 1 occurs twice"),
    "split of its object": (
        {"split": "val"},
        "its object is in the split 'val' here and in 'train' in line 1, which has the same mask",
    ),
    "split": ({"split": ["val"]}, "expected 'split' to be a text, got list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_or_skipped(tmp_path: Path, name: str) -> None:
    changed, message = BAD[name]
    write_files(tmp_path)
    lines = records()
    lines[1] = {**lines[1], **changed}
    write_jsonl(tmp_path / "annotations.jsonl", lines)
    with pytest.raises(DataError, match=rf"annotations\.jsonl, line 2: (?i:.*{message})"):
        read_folder(tmp_path, ".")
    references = read_folder(tmp_path, ".", on_bad_record="skip")
    assert len(references.skipped) == 1
    assert len(references) == 3


def test_lines_that_are_no_records(root: Path) -> None:
    path = root / "mine" / "annotations.csv"
    good = path.read_text().splitlines()
    path.write_text("\n".join([good[0], "", good[1], "dog.jpg,a dog, on grass,m.png,", *good[2:]]))
    with pytest.raises(DataError, match="line 4: expected 4 fields as in the header, got 5; put"):
        read_folder(root, "mine")
    assert len(read_folder(root, "mine", on_bad_record="skip")) == 4
    path.write_text("\n".join([good[0], "dog.jpg"]))
    with pytest.raises(DataError, match="line 2: expected 'mask' to be the path"):
        read_folder(root, "mine")
    path.write_text("\n".join([*good[:2], 'dog.jpg,"a dog', *good[2:]]))
    with pytest.raises(DataError, match="line 3: this is not CSV"):
        read_folder(root, "mine")
    path.write_text("image,sentence\n")
    with pytest.raises(DataError, match="line 1: the columns expression, mask are missing"):
        read_folder(root, "mine")
    path.write_bytes(b"image,expression,mask\ndog.jpg,caf\xe9,masks/dog.png\n")
    with pytest.raises(DataError, match=r"line 2: expected text in UTF-8, got the byte 0xe9"):
        read_folder(root, "mine")
    path.write_text(good[0])
    with pytest.raises(DataError, match=r"annotations\.csv has no line of data"):
        read_folder(root, "mine")
    path.unlink()
    with pytest.raises(DataError, match=r"one of the files .*, got none"):
        read_folder(root, "mine")
    path = root / "mine" / "annotations.jsonl"
    path.write_text("\n" + json.dumps(records()[0]) + "\n[1]\n" + "[" * 100_000 + "\nnull\n")
    with pytest.raises(DataError, match=r"line 3: expected a JSON object, got list \[1\]"):
        read_folder(root, "mine")
    references = read_folder(root, "mine", on_bad_record="skip")
    assert (len(references), len(references.skipped)) == (1, 3)


def test_a_polygon_longer_than_csv_allows_by_itself(root: Path) -> None:
    x = np.linspace(0, 39, 20_000)
    outline = np.stack([x, 10 + 5 * np.sin(x)], -1).ravel().tolist()
    line = {**records()[0], "mask": [outline]}
    write_csv(root / "mine" / "annotations.csv", [line])
    assert (root / "mine" / "annotations.csv").stat().st_size > 2 * 131_072
    assert len(read_folder(root, "mine")) == 1


def test_there_is_one_table_and_one_partition(root: Path) -> None:
    with pytest.raises(DataError, match="one partition only"):
        read_folder(root, "mine", "unc")
    write_jsonl(root / "mine" / "annotations.jsonl", records())
    with pytest.raises(DataError, match=r"expected one of the files .*, got both"):
        read_folder(root, "mine")
