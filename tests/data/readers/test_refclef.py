"""RefCLEF in REFER layout: run lengths, splits that combine, and gaps that are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from refseg.data.readers import read_refer
from refseg.errors import DataError
from refseg.masks import decode

from ..fake_refer import write_annotations

SPLITS = ["train", "testA", "testB", "testAB", "testABC", "testC", "val", "train", "train"]
HEIGHT, WIDTH = 12, 16


def refclef() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One object in each of 9 photographs; two photographs are among those that are absent."""
    image_ids = [100, 101, 102, 103, 104, 105, 106, 19579, 17975]
    instances: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    refs = []
    for number, (image_id, split) in enumerate(zip(image_ids, SPLITS, strict=True)):
        size = {"height": HEIGHT, "width": WIDTH}
        instances["images"].append({"id": image_id, "file_name": f"{image_id}.jpg", **size})
        runs = [number * HEIGHT, HEIGHT, (WIDTH - number - 1) * HEIGHT]  # one whole column
        rle = {"size": [HEIGHT, WIDTH], "counts": runs}
        instances["annotations"].append(
            {"id": 10 + number, "image_id": image_id, "segmentation": [rle]}
        )
        sentence = {"sent_id": number, "sent": f"column {number}", "raw": "c", "tokens": []}
        refs.append(
            {
                "ref_id": number,
                "ann_id": 10 + number,
                "image_id": image_id,
                "category_id": 0,
                "split": split,
                "sentences": [sentence],
            }
        )
    return refs, instances


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images" / "saiapr_tc-12"
    folder.mkdir(parents=True)
    for image_id in range(100, 107):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{image_id}.jpg")
    write_annotations(tmp_path, *refclef(), dataset="refclef")
    return tmp_path


def test_splits_that_combine_are_found_under_each_name(root: Path) -> None:
    references = read_refer(root, "refclef")
    assert references.splits == ("train", "val", "testA", "testB", "testC")
    found = {
        name: references.split(name).table["reference_id"].to_pylist() for name in references.splits
    }
    assert found == {
        "train": [0],
        "val": [6],
        "testA": [1, 3, 4],
        "testB": [2, 3, 4],
        "testC": [4, 5],
    }
    both = references.split(["testA", "testB"]).table["reference_id"].to_pylist()
    assert both == [1, 2, 3, 4]  # each once
    with pytest.raises(DataError, match="Unknown split 'testAB' of refclef"):
        references.split("testAB")


def test_run_lengths(root: Path) -> None:
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[:, 3] = True
    np.testing.assert_array_equal(decode(read_refer(root, "refclef").truth(3)), expected)


def test_absent_photographs_are_listed(root: Path) -> None:
    skipped = read_refer(root, "refclef").skipped
    assert [message.split("refs(unc).p, ")[1].split(":")[0] for message in skipped] == [
        "ref_id 7",
        "ref_id 8",
    ]
    assert "19579.jpg is absent" in skipped[0]
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images" / "saiapr_tc-12" / "19579.jpg")
    (message,) = read_refer(root, "refclef").skipped
    assert "17975.jpg is absent" in message


def test_references_without_a_usable_mask_are_listed(root: Path) -> None:
    refs, instances = refclef()
    empty = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}
    instances["annotations"][0]["segmentation"] = [empty]
    instances["annotations"][1]["segmentation"] = []
    instances["annotations"][2]["segmentation"] = [{"size": [5, 5], "counts": [25]}]
    del instances["annotations"][3]
    write_annotations(root, refs, instances, dataset="refclef")
    references = read_refer(root, "refclef")
    assert references.table["reference_id"].to_pylist() == [4, 5, 6]
    reasons = ["cover no pixel", "expected a segmentation", r"of size [12, 16]", "13 is not in"]
    assert len(references.skipped) == 6
    for number, (message, reason) in enumerate(zip(references.skipped, reasons, strict=False)):
        assert f"ref_id {number}: " in message
        assert reason in message


def test_other_data_sets_do_not_have_these_gaps(root: Path) -> None:
    (root / "refclef").rename(root / "mine")
    assert len(read_refer(root, "mine")) == 9  # photographs are looked for when they are needed
    refs, instances = refclef()
    instances["annotations"][1]["segmentation"] = []
    write_annotations(root, refs, instances, dataset="mine")
    with pytest.raises(DataError, match=r"ref_id 1: annotation 11 .* expected a segmentation"):
        read_refer(root, "mine")


def test_other_faults_are_errors(root: Path) -> None:
    refs, instances = refclef()
    del refs[2]["sentences"]
    write_annotations(root, refs, instances, dataset="refclef")
    with pytest.raises(DataError, match="ref_id 2: the key 'sentences' is missing"):
        read_refer(root, "refclef")


def test_no_mask_at_all_is_an_error(root: Path) -> None:
    refs, instances = refclef()
    instances["annotations"] = []
    write_annotations(root, refs, instances, dataset="refclef")
    with pytest.raises(DataError, match=r"no usable reference: 9 records are bad.*ref_id 0: its"):
        read_refer(root, "refclef")
