"""Each kind of damage is found, named with its record, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from refseg.data.references import References
from refseg.data.verification import Verification, verify
from refseg.errors import DataError

from ..fake_refer import annotations, write_annotations
from ..tables import table

IMAGES = Path("images", "train2014")


def name(image_id: int, suffix: str = ".jpg") -> str:
    return f"COCO_train2014_{image_id:012d}{suffix}"


def found(verification: Verification) -> list[tuple[str, str]]:
    return [(finding.kind, finding.record) for finding in verification.findings]


def test_nothing_is_wrong_with_what_is_in_order(fake_root: Path) -> None:
    verification = verify(fake_root, "fake", jobs=2)
    assert verification.is_clean
    assert verification.images == 7
    assert verification.masks[:4] == (21, 0, 0, 0)  # the fake set publishes no areas
    sizes = {count.split: count.found for count in verification.counts}
    assert list(sizes) == ["train", "val", "testA", "testB"]
    train = sizes["train"]
    assert (train.references, train.images, train.expressions) == (12, 4, 24)
    assert all(count.published is None for count in verification.counts)


def absent(root: Path) -> None:
    (root / IMAGES / name(1)).unlink()


def no_image(root: Path) -> None:
    (root / IMAGES / name(1)).write_bytes(b"<html>404</html>")


def cut_short(root: Path) -> None:
    path = root / IMAGES / name(1)
    path.write_bytes(path.read_bytes()[:-200])


def other_size(root: Path) -> None:
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(root / IMAGES / name(1))


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (absent, "image absent", name(1)),
        (no_image, "image unreadable", "Cannot read the image"),
        (cut_short, "image unreadable", "Cannot read the image"),
        (other_size, "image size", "Expected 60 × 40 pixels as the annotations say, found 40 × 60"),
    ],
)
def test_images(damage: Callable[[Path], None], kind: str, message: str, own_root: Path) -> None:
    damage(own_root)
    verification = verify(own_root, "fake")
    assert found(verification) == [(kind, f"image 1, {name(1)}")]
    assert message in verification.findings[0].message


def test_only_pixels_tell_that_an_image_is_cut_short(own_root: Path) -> None:
    cut_short(own_root)
    assert verify(own_root, "fake", pixels=False).is_clean


def missing_key(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    del refs[4]["sentences"][0]["sent"]


def no_word(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    refs[4]["sentences"][0]["sent"] = "..."


def twice(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    refs[4]["ref_id"] = 3


def elsewhere(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    refs[4]["ann_id"] = 999


def broken_mask(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    instances["annotations"][5]["segmentation"][0]["counts"] = "abc"


def other_mask_size(refs: list[dict[str, Any]], instances: dict[str, Any]) -> None:
    instances["annotations"][5]["segmentation"][0]["size"] = [7, 7]


@pytest.mark.parametrize(
    ("damage", "ref_id", "reason"),
    [
        (missing_key, 4, "'sent' is missing"),
        (no_word, 4, "has no word"),
        (twice, 3, "occurs twice"),
        (elsewhere, 4, "ann_id 999 is not in"),
        (broken_mask, 5, "run lengths are damaged"),
        (other_mask_size, 5, "expected run lengths of size"),
    ],
)
def test_records(
    damage: Callable[[Any, Any], None], ref_id: int, reason: str, own_root: Path
) -> None:
    refs, instances = annotations()
    damage(refs, instances)
    write_annotations(own_root, refs, instances)
    verification = verify(own_root, "fake")
    assert found(verification) == [("record", f"fake/refs(unc).p, ref_id {ref_id}")]
    assert reason in verification.findings[0].message
    assert str(own_root) not in verification.findings[0].message


def test_all_problems_are_listed_in_one_go(own_root: Path) -> None:
    refs, instances = annotations()
    no_word(refs, instances)
    refs[9]["ann_id"] = 999
    write_annotations(own_root, refs, instances)
    absent(own_root)
    kinds = [kind for kind, _ in found(verify(own_root, "fake"))]
    assert kinds == ["record", "record", "image absent"]


def test_a_mask_that_covers_nothing(own_root: Path) -> None:
    refs, instances = annotations()
    instances["annotations"][3]["segmentation"] = [[90.0, 5.0, 99.0, 5.0, 99.0, 9.0]]  # outside
    write_annotations(own_root, refs, instances)
    assert found(verify(own_root, "fake")) == [("record", "fake/refs(unc).p, ref_id 3")]


def test_areas_are_compared_where_they_are_published(own_root: Path) -> None:
    refs, instances = annotations()
    for annotation in instances["annotations"]:
        # Objects of 10 × 10, of 15 × 10 (a union), of 15 × 6 pixels.
        annotation["area"] = (100.0, 150, 90)[annotation["id"] % 10]
        annotation["category_id"] = 1
    write_annotations(own_root, refs, instances)
    verification = verify(own_root, "fake")
    assert (verification.is_clean, verification.masks.compared) == (True, 21)

    instances["annotations"][0]["area"] = 140.0
    instances["annotations"][1]["area"] = float("nan")
    write_annotations(own_root, refs, instances)
    verification = verify(own_root, "fake")
    assert verification.masks.compared == 20
    assert found(verification) == [("mask area", "ref_id 0, ann_id 10")]
    assert "Expected 140 pixels as the annotations say, found 100." in (
        verification.findings[0].message
    )


def test_counts_are_compared_with_the_catalogue(own_root: Path) -> None:
    (own_root / "fake").rename(own_root / "refcoco")
    verification = verify(own_root, "refcoco")
    assert found(verification) == [
        ("count", f"split {split}") for split in ("train", "val", "testA", "testB")
    ]
    assert verification.findings[1].message == (
        "Expected 3,811 references, found 3; 1,500 images, found 1; 10,834 expressions, found 6."
    )
    assert verify(own_root, "refcoco", counts=False).is_clean


def test_a_published_split_that_is_missing(own_root: Path) -> None:
    refs, instances = annotations()
    refs = [ref for ref in refs if ref["split"] in ("train", "val")]
    (own_root / "fake").rename(own_root / "refcoco")
    write_annotations(own_root, refs, instances, "refcoco")
    counts = {count.split: count for count in verify(own_root, "refcoco", "unc").counts}
    assert counts["testA"].found.expressions == 0
    assert "1,975 references, found 0" in counts["testA"].finding.message  # type: ignore[union-attr]


def test_a_broken_file_is_a_finding(own_root: Path) -> None:
    path = own_root / "fake" / "instances.json"
    path.write_bytes(path.read_bytes()[:-10])
    verification = verify(own_root, "fake")
    assert found(verification) == [("file", "fake")]
    assert verification.findings[0].message.startswith("fake/instances.json is not complete JSON")
    path.write_text(json.dumps([]))
    assert found(verify(own_root, "fake")) == [("file", "fake")]


def test_what_the_reader_put_right_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / "1.png")
    rows = table([{"image_path": str(tmp_path / "1.png"), "mask_kind": "box"}])
    columns = {name: rows.table[name].to_pylist() for name in rows.table.column_names}
    mended = References.from_columns(columns, notes=[f"{tmp_path}/a.json: its size was wrong."])
    monkeypatch.setattr(
        "refseg.data.verification.verification.read_references", lambda *_, **__: mended
    )
    verification = verify(tmp_path, "mended")
    assert verification.is_clean
    assert verification.notes == ("a.json: its size was wrong.",)
    assert (verification.masks.masks, verification.masks.boxes) == (0, 1)


def test_when_every_record_is_bad(own_root: Path) -> None:
    refs, instances = annotations()
    for ref in refs:
        del ref["sentences"]
    write_annotations(own_root, refs, instances)
    verification = verify(own_root, "fake")
    (finding,) = verification.findings
    assert "no usable reference: 21 records are bad" in finding.message
    assert (verification.images, verification.counts) == (0, ())


@pytest.mark.parametrize(
    ("dataset", "split_by", "message"),
    [("other", None, "has no folder 'other'"), ("fake", "google", "has no refs")],
)
def test_a_wrong_name_is_the_users_mistake(
    dataset: str, split_by: str | None, message: str, fake_root: Path
) -> None:
    with pytest.raises(DataError, match=message):
        verify(fake_root, dataset, split_by)


@pytest.mark.parametrize(
    ("folder", "dataset", "split_by"),
    [("pool", "pool", None), ("pocket", "refcoco", "unc"), ("pocket", "refcocog", "google")],
)
def test_real_data_is_in_order(
    folder: str, dataset: str, split_by: str | None, shared: Path
) -> None:
    verification = verify(
        shared / "data" / folder, dataset, split_by, pixels=False, counts=False, jobs=2
    )
    assert verification.is_clean
    assert verification.masks.compared == verification.masks.masks > 0
