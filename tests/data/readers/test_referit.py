"""ReferIt: fake data with masks, the published JSON, and every way in which a file can be wrong."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers.matlab import read_mat_mask
from refseg.data.readers.referit import read_referit
from refseg.data.references import References
from refseg.errors import DataError
from refseg.masks import decode

from ..fake_referit import (
    BOXES,
    content,
    region_mask,
    write_fake_referit,
    write_images,
    write_json,
    write_mask,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fake_referit(tmp_path)


def region(row: dict[str, Any]) -> str:
    return f"{row['image_id']}_{row['reference_id'] % 1000}"


def test_reads_the_fake_set(root: Path) -> None:
    references = read_referit(root, "referit")
    assert repr(references) == "References(10 expressions, 6 references, 4 images)"
    assert references.splits == ("train", "val", "test")
    assert references.skipped == ()
    rows = {row["expression_id"]: row for row in references.table.to_pylist()}
    row = rows[112001000]
    assert (row["expression"], row["raw"]) == ("the big church", "The big Church")
    assert (row["reference_id"], row["annotation_ids"], row["category_ids"]) == (
        112001,
        [112001],
        [],
    )
    assert (row["source"], row["height"], row["width"]) == ("referit", 36, 48)
    assert row["image_path"] == str(root / "referit" / "images" / "112.jpg")
    assert rows[40689001002]["expression"] == "blue sky, anywhere"
    for position, row in enumerate(references.table.to_pylist()):
        assert row["mask_kind"] == "mask"
        np.testing.assert_array_equal(decode(references.truth(position)), region_mask(region(row)))


def test_an_expression_without_a_word_is_an_unknown_word(root: Path) -> None:
    row = read_referit(root, "referit").split("train").table.to_pylist()[2]
    assert (row["expression"], row["raw"]) == ("<unk>", "...")


def test_a_region_without_a_mask_has_its_box(root: Path) -> None:
    (root / "referit" / "mask" / "38100_3.mat").unlink()
    references = read_referit(root, "referit")
    kinds = {region(row): row["mask_kind"] for row in references.table.to_pylist()}
    assert [name for name, kind in kinds.items() if kind == "box"] == ["38100_3"]
    left, top, right, bottom = BOXES["38100_3"]
    mask = decode(references.split("val").truth(0))
    assert mask[top : bottom + 1, left : right + 1].all()
    assert mask.sum() == (right - left + 1) * (bottom - top + 1)


def test_a_region_with_neither_is_reported(tmp_path: Path) -> None:
    files = content()
    del files["referit_bbox"]["9000_2"]
    write_json(tmp_path / "referit", files)
    references = read_referit(tmp_path, "referit")
    assert set(references.table["mask_kind"].to_pylist()) == {"box"}
    assert len(references) == 8
    assert [message.split("referit_query_")[1] for message in references.skipped] == [
        "test.json, region '9000_2': it has neither a mask nor a box."
    ]


def test_files_may_lie_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_json(root, content())
    write_images(root / "images")
    references = read_referit(root, "referit")
    assert len(references) == 10
    assert Path(references.table["image_path"][0].as_py()).is_file()
    assert len(read_referit(root, "data")) == 10
    with pytest.raises(DataError, match=r"Neither .*refcoco nor .*data has files referit_query"):
        read_referit(root, "refcoco")


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("referit/referit-dataset/images", "referit/referit-dataset/mask"),
        ("images/saiapr_tc-12", "masks"),
        ("saiapr_tc-12/00/images", "saiapr_tc-12/00/segmentation_masks"),
    ],
)
def test_finds_files_where_people_keep_them(root: Path, images: str, masks: str) -> None:
    for name, place in (("images", images), ("mask", masks)):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / "referit" / name).rename(root / place)
    references = read_referit(root, "referit")
    assert set(references.table["mask_kind"].to_pylist()) == {"mask"}
    for path in references.table["image_path"].to_pylist():
        assert Path(path).is_file()


def test_joined_files_double_nothing(root: Path) -> None:
    """Beside its parts, text_objseg has `trainval` and `all`."""
    files = content()
    train, val, test = (files[f"referit_query_{name}"] for name in ("train", "val", "test"))
    write_json(root / "referit", {"referit_query_trainval": train | val})
    write_json(root / "referit", {"referit_query_all": train | val | test})
    references = read_referit(root, "referit")
    assert (len(references), references.splits) == (10, ("train", "val", "test"))
    assert len(references.split("trainval")) == 7
    (root / "referit" / "referit_query_val.json").unlink()
    references = read_referit(root, "referit")
    assert (len(references), references.splits) == (10, ("test", "trainval"))
    assert len(references.split("trainval")) == 7


@pytest.fixture(scope="session")
def published(shared: Path) -> Path:
    return shared / "data" / "referit"


def check_boxes(references: References, boxes: dict[str, list[int]], step: int) -> None:
    """Compare every so many masks with the published boxes."""
    assert references.skipped == ()
    assert references.table["mask_kind"].unique().to_pylist() == ["box"]
    for position in range(0, len(references), step):
        left, top, right, bottom = boxes[region(references.table.slice(position, 1).to_pylist()[0])]
        mask = decode(references.truth(position))
        assert mask.sum() == (right - left + 1) * (bottom - top + 1)
        assert mask[top : bottom + 1, left : right + 1].all()


def test_published_validation_set(published: Path, tmp_path: Path) -> None:
    for name in ("query_val", "bbox", "imsize"):
        (tmp_path / f"referit_{name}.json").symlink_to(published / f"referit_{name}.json")
    references = read_referit(tmp_path, ".")
    assert repr(references) == "References(5842 expressions, 4866 references, 1000 images)"
    check_boxes(references, json.loads((published / "referit_bbox.json").read_text()), 97)


@pytest.mark.slow
def test_published_counts(published: Path) -> None:
    """Figures of the data's README."""
    references = read_referit(published.parent, "referit")
    assert repr(references) == "References(120081 expressions, 99245 references, 19989 images)"
    sizes = {name: len(references.split(name)) for name in ("train", "val", "trainval", "test")}
    assert sizes == {"train": 54_134, "val": 5_842, "trainval": 59_976, "test": 60_105}
    check_boxes(references, json.loads((published / "referit_bbox.json").read_text()), 997)


def test_to_a_batch(root: Path) -> None:
    data = ReferringDataModule(
        root,
        "referit",
        train_splits=["trainval"],
        val_splits=["test"],  # what is validated is never trained on
        image_size=48,
        batch_size=2,
        num_workers=0,
    )
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert sum(map(len, batches)) == 7
    assert data.split_names == ["test"]
    (batch,) = data.test_dataloader()[0]
    assert batch.expressions == ("anything", "red one", "2nd from right")
    assert batch.masks is not None
    assert batch.masks.flatten(1).any(1).all()


Change = Callable[[dict[str, Any]], object]
BAD: dict[str, tuple[Change, str]] = {
    "no list": (
        lambda files: files["referit_query_val"].update({"38100_3": "sky"}),
        "region '38100_3': expected a list of expressions, got str 'sky'",
    ),
    "no expressions": (
        lambda files: files["referit_query_val"].update({"38100_3": []}),
        "region '38100_3': expected a list of expressions",
    ),
    "no text": (
        lambda files: files["referit_query_val"].update({"38100_3": [None]}),
        "region '38100_3': expected an expression as text, got NoneType None",
    ),
    "blank": (
        lambda files: files["referit_query_val"].update({"38100_3": ["  "]}),
        "expected an expression as text, got str '  '",
    ),
    "name": (
        lambda files: files["referit_query_val"].update({"38100": ["sky"]}),
        "region '38100': expected a name such as 38100_1",
    ),
    "twice": (
        lambda files: files["referit_query_val"].update({"112_1": ["sky"]}),
        "region '112_1': its reference id 112001 occurs twice",
    ),
    "no size": (
        lambda files: files["referit_imsize"].pop("38100.jpg"),
        "region '38100_3': referit_imsize.json: the key '38100.jpg' is missing",
    ),
    "size": (
        lambda files: files["referit_imsize"].update({"38100.jpg": [36.5, 48]}),
        r"expected \[width, height\] for '38100.jpg'",
    ),
    "absurd size": (
        lambda files: files["referit_imsize"].update({"38100.jpg": [10**9, 10**9]}),
        "an image of 1000000000 × 1000000000 pixels cannot have a mask",
    ),
    "box outside": (
        lambda files: files["referit_bbox"].update({"38100_3": [10, 20, 36, 47]}),
        r"the box \[10, 20, 36, 47\] does not lie in its image of 36 × 48 pixels",
    ),
    "box upside down": (
        lambda files: files["referit_bbox"].update({"38100_3": [10, 20, 30, 19]}),
        "does not lie in its image",
    ),
    "box of floats": (
        lambda files: files["referit_bbox"].update({"38100_3": [10, 20, 30.5, float("nan")]}),
        r"expected a box \[xmin, ymin, xmax, ymax\] of whole pixels",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_region_is_named_or_skipped(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    files = content()
    change(files)
    write_json(tmp_path / "referit", files)
    with pytest.raises(DataError, match=rf"referit_query_\w+\.json, {message}|{message}"):
        read_referit(tmp_path, "referit")
    references = read_referit(tmp_path, "referit", on_bad_record="skip")
    assert len(references.skipped) == 1
    assert len(references) >= 7


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "referit"
    files = content()
    write_json(folder, {name: files[name] for name in files if "query" in name})
    with pytest.raises(DataError, match=r"neither referit_bbox\.json nor a folder of masks"):
        read_referit(tmp_path, "referit")
    write_json(folder, {"referit_bbox": files["referit_bbox"]})
    with pytest.raises(DataError, match=r"Cannot read .*referit_imsize\.json: No such file"):
        read_referit(tmp_path, "referit")
    write_json(folder, files)
    with pytest.raises(DataError, match=r"one partition, 'berkeley', not 'unc'"):
        read_referit(tmp_path, "referit", "unc")
    (folder / "referit_bbox.json").write_text('{"112_1": [1, 2')
    with pytest.raises(DataError, match=r"referit_bbox\.json .*not complete JSON"):
        read_referit(tmp_path, "referit")


NUMBERS = ("uint8", "int16", "uint32", "int64", "float32", "float64", "bool")


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(30, 20), (1, 3), (2, 1)])
def test_mat_files_as_scipy_writes_them(
    tmp_path: Path, shape: tuple[int, int], dtype: str, compress: bool
) -> None:
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    variables = {"other": "text", "long_name_of_a_cell": [1, "a"], "segimg_t": values, "x": 1j}
    scipy.io.savemat(tmp_path / "m.mat", variables, do_compression=compress)
    found = read_mat_mask(tmp_path / "m.mat", "segimg_t", *shape, "here")
    np.testing.assert_array_equal(found, values)


def test_mat_files_of_the_other_byte_order(tmp_path: Path) -> None:
    """By hand: version, byte order, and a 1 × 2 array of int16, stored in a tag."""
    header = b"MATLAB".ljust(124) + b"\x01\x00MI"
    flags = struct.pack(">IIII", 6, 8, 10, 0)
    shape = struct.pack(">IIii", 5, 8, 1, 2)
    name = struct.pack(">II", 1, 8) + b"segimg_t"
    numbers = struct.pack(">Ihh", 4 << 16 | 3, 0, -300)
    matrix = flags + shape + name + numbers
    path = tmp_path / "m.mat"
    path.write_bytes(header + struct.pack(">II", 14, len(matrix)) + matrix)
    assert read_mat_mask(path, "segimg_t", 1, 2, "here").tolist() == [[0, -300]]


def test_bad_mat_files(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    mask = np.zeros((30, 20), bool)

    def message(height: int = 30, width: int = 20) -> str:
        with pytest.raises(DataError) as caught:
            read_mat_mask(path, "segimg_t", height, width, "x.json, region '1_1'")
        assert "x.json, region '1_1'" in str(caught.value)
        return str(caught.value)

    assert "No such file" in message()
    write_mask(path, mask)
    assert "to have 20 × 30 numbers (rows × columns), got 30 × 20." in message(20, 30)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert "m.mat" in message()
    path.write_bytes(b"nothing of the kind")
    assert "is not a complete MATLAB file" in message()
    scipy.io.savemat(path, {"mask": mask})
    assert "expected the variable 'segimg_t'" in message()
    scipy.io.savemat(path, {"segimg_t": "text"})
    assert "of another kind" in message()
    scipy.io.savemat(path, {"segimg_t": mask * 1j})
    assert "of another kind" in message()
    scipy.io.savemat(path, {"segimg_t": mask}, format="4")
    assert "it does not begin like one" in message()


def test_numbers_of_a_type_that_does_not_exist(tmp_path: Path) -> None:
    """With this, scipy's reader ends in a segmentation fault."""
    path = tmp_path / "m.mat"
    write_mask(path, np.zeros((30, 20), bool), compress=False)
    content = bytearray(path.read_bytes())
    (at,) = (i for i in range(0, len(content), 8) if content[i : i + 8] == b"\2\0\0\0\x58\2\0\0")
    content[at + 1] = 0x7F
    path.write_bytes(content)
    with pytest.raises(DataError, match="no numbers of type 32514"):
        read_mat_mask(path, "segimg_t", 30, 20, "here")


def test_a_mat_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    write_mask(path, np.zeros((30, 20), bool))
    header = path.read_bytes()[:128]
    packed = zlib.compress(b"\0" * 2**24)
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match="unpacks to more than 70336 bytes"):
        read_mat_mask(path, "segimg_t", 30, 20, "here")
    with path.open("ab") as file:
        file.truncate(2**30)
    with pytest.raises(DataError, match="larger than 70336 bytes"):
        read_mat_mask(path, "segimg_t", 30, 20, "here")


def test_a_damaged_file_of_matlab_that_unpacks_to_nothing(tmp_path: Path) -> None:
    header = b"MATLAB".ljust(124) + b"\x00\x01IM"
    (tmp_path / "m.mat").write_bytes(header + struct.pack("<II", 15, 0))
    with pytest.raises(DataError, match=r"'segimg_t' in .*m\.mat, got none"):
        read_mat_mask(tmp_path / "m.mat", "segimg_t", 4, 5, "here")
