"""The published REFER API: against queries written out by hand, and on real records."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from refseg import REFER
from refseg.errors import DataError

from .fake_refer import annotations, write_annotations

SPLITS = ["train", "val", "testA", "testB", "testC", "testAB", "testBC"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, fake_root: Path) -> Path:
    """The fake set with boxes, classes, names of classes, tokens, and splits that combine."""
    folder = tmp_path_factory.mktemp("api")
    refs, instances = annotations()
    for number, ref in enumerate(refs):
        ref["split"] = SPLITS[number % 7]
        for sentence in ref["sentences"]:
            sentence["tokens"] = sentence["sent"].split()
    for annotation in instances["annotations"]:
        annotation["category_id"] = annotation["id"] % 10 + 1
        annotation["bbox"] = [annotation["id"], 1.5, 3, 4]
    instances["annotations"].append({**instances["annotations"][0], "id": 999})  # has no reference
    names = ["table", "café", "dog"]
    instances["categories"] = [{"id": n + 1, "name": name} for n, name in enumerate(names)]
    write_annotations(folder, refs, instances)
    (folder / "images").symlink_to(fake_root / "images")
    return folder


@pytest.fixture(scope="module")
def refer(root: Path) -> REFER:
    return REFER(str(root), dataset="fake", splitBy="unc")


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    pyplot.close("all")


def test_attributes(refer: REFER, root: Path) -> None:
    refs, _ = annotations()
    assert set(refer.data) == {"dataset", "refs", "images", "annotations", "categories"}
    assert list(refer.Refs) == list(range(21))
    assert len(refer.Anns) == 22
    assert list(refer.Imgs) == [1, 2, 3, 4, 5, 6, 7]
    assert refer.Cats == {1: "table", 2: "café", 3: "dog"}
    assert [ref["ref_id"] for ref in refer.imgToRefs[2]] == [3, 4, 5]
    assert [ann["id"] for ann in refer.imgToAnns[1]] == [10, 11, 12, 999]
    assert refer.refToAnn[4] is refer.Anns[21]
    assert refer.annToRef[21] is refer.Refs[4]
    assert [ref["ref_id"] for ref in refer.catToRefs[2]] == list(range(1, 21, 3))
    assert 999 not in refer.annToRef
    for ref in refs:
        for sentence in ref["sentences"]:
            sent_id = sentence["sent_id"]
            assert refer.Sents[sent_id]["sent"] == sentence["sent"]  # café, not cafÃ©
            assert refer.Sents[sent_id]["raw"] == sentence["raw"]
            assert refer.sentToTokens[sent_id] == sentence["sent"].split()
            assert refer.sentToRef[sent_id]["ref_id"] == ref["ref_id"]
    assert str(root / "fake") == refer.DATA_DIR
    assert str(root / "images" / "train2014") == refer.IMAGE_DIR
    assert Path(refer.ROOT_DIR).is_dir()


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", {"train"}),
        ("val", {"val"}),
        ("test", {"testA", "testB", "testC", "testAB", "testBC"}),
        ("testA", {"testA", "testAB"}),
        ("testB", {"testB", "testAB", "testBC"}),
        ("testC", {"testC", "testBC"}),
        ("testAB", {"testAB"}),
        ("testBC", {"testBC"}),
        ("testAC", set()),
        ("", set(SPLITS)),
    ],
)
def test_splits_have_their_published_meaning(refer: REFER, split: str, names: set[str]) -> None:
    found = [refer.Refs[ref_id]["split"] for ref_id in refer.getRefIds(split=split)]
    assert set(found) == names
    assert len(found) == 3 * len(names)


def test_conditions_on_references(refer: REFER) -> None:
    refs = [ref["ref_id"] for ref in refer.data["refs"]]
    assert refer.getRefIds() == refs
    assert refer.getRefIds(image_ids=2) == refer.getRefIds([2]) == [3, 4, 5]
    assert refer.getRefIds([3, 2]) == [6, 7, 8, 3, 4, 5]
    assert refer.getRefIds(99) == []
    assert refer.getRefIds(cat_ids=3) == list(range(2, 21, 3))
    assert refer.getRefIds(ref_ids=0) == [0]
    assert refer.getRefIds([1, 2], [1, 3], [0, 2, 3, 4], "testC") == []
    assert refer.getRefIds([1, 2], [1, 3], [0, 2, 3, 4], "testA") == [2]


def test_conditions_on_objects(refer: REFER) -> None:
    assert refer.getAnnIds() == [ann["id"] for ann in refer.data["annotations"]]
    assert refer.getAnnIds(image_ids=1) == [10, 11, 12, 999]
    assert refer.getAnnIds(image_ids=[1, 99], cat_ids=[1]) == [10, 999]
    assert refer.getAnnIds(ref_ids=[5, 4]) == [21, 22]
    assert refer.getAnnIds([2], [3], 5) == [22]


def test_images_and_classes(refer: REFER) -> None:
    assert refer.getImgIds() == [1, 2, 3, 4, 5, 6, 7]
    assert refer.getImgIds([4, 3, 0]) == [2, 1]
    assert refer.getImgIds(20) == [7]
    assert refer.getCatIds() == [1, 2, 3]


def test_loading(refer: REFER) -> None:
    assert refer.loadRefs(4) == refer.loadRefs([4]) == [refer.Refs[4]]
    assert refer.loadAnns([21, 10]) == [refer.Anns[21], refer.Anns[10]]
    assert refer.loadImgs(2) == [refer.Imgs[2]]
    assert refer.loadCats([1, 3]) == ["table", "dog"]
    assert refer.loadCats(2) == ["café"]
    assert refer.loadRefs() == refer.loadRefs([]) == []
    assert refer.getRefBox(4) == [21, 1.5, 3, 4]
    with pytest.raises(KeyError):
        refer.loadRefs(77)


def test_masks_are_unions(refer: REFER) -> None:
    """The two rectangles of the second object share 5 × 10 pixels, which published become 2."""
    found = refer.getMask(refer.Refs[1])
    expected = np.zeros((40, 60), np.uint8)
    expected[10:20, 15:30] = 1
    np.testing.assert_array_equal(found["mask"], expected)
    assert found["mask"].dtype == np.uint8
    assert found["area"] == 150
    published = coco.frPyObjects(refer.Anns[11]["segmentation"], 40, 60)
    assert sum(coco.area(published)) == 200
    assert refer.getMask(refer.Refs[2])["area"] == 15 * 6  # run lengths


@pytest.mark.parametrize("ref_id", [1, 2])
@pytest.mark.parametrize("seg_box", ["seg", "box"])
def test_pictures(
    refer: REFER, ref_id: int, seg_box: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refer.showRef(refer.Refs[ref_id], seg_box=seg_box)
    printed = capsys.readouterr().out.splitlines()
    sentences = refer.Refs[ref_id]["sentences"]
    assert printed == [f"{n}. {s['sent']}" for n, s in enumerate(sentences, 1)]
    axes = pyplot.gca()
    runs_as_tint = seg_box == "seg" and ref_id == 2
    assert len(axes.images) == (2 if runs_as_tint else 1)
    assert len(axes.collections) == (2 if seg_box == "seg" and ref_id == 1 else 0)
    assert len(axes.patches) == (1 if seg_box == "box" else 0)
    pyplot.close("all")
    refer.showMask(refer.Refs[ref_id])
    np.testing.assert_array_equal(
        pyplot.gca().images[0].get_array(), refer.getMask(refer.Refs[ref_id])["mask"]
    )


def test_pictures_out_of_an_archive(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "fake", tmp_path / "fake")
    shutil.make_archive(str(tmp_path / "train2014"), "zip", root / "images", "train2014")
    refer = REFER(tmp_path, "fake")
    assert str(tmp_path / "train2014.zip" / "train2014") == refer.IMAGE_DIR
    refer.showRef(refer.Refs[0])
    assert pyplot.gca().images[0].get_array().shape == (40, 60, 3)


def test_without_images_everything_else_works(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "fake", tmp_path / "fake")
    refer = REFER(tmp_path, "fake")
    assert str(tmp_path / "images" / "mscoco" / "images" / "train2014") == refer.IMAGE_DIR
    assert refer.getMask(refer.Refs[1])["area"] == 150
    with pytest.raises(DataError, match="is absent"):
        refer.showRef(refer.Refs[0])


def test_errors_name_what_is_there(refer: REFER, root: Path) -> None:
    with pytest.raises(DataError, match=r"No such split 'test_a' in .*; choose one of testA, "):
        refer.getRefIds(split="test_a")
    with pytest.raises(DataError, match=r"no refs\(umd\)\.p; refs\(unc\)\.p is there"):
        REFER(root, "fake", "umd")
    with pytest.raises(DataError, match="no folder 'refcoco' with annotations; it has fake"):
        REFER(root)


def test_a_wrong_record_is_named(tmp_path: Path) -> None:
    refs, instances = annotations()
    instances["annotations"].pop(4)
    write_annotations(tmp_path, refs, instances)
    with pytest.raises(DataError, match=r"refs\(unc\)\.p, ref_id 4: its ann_id 21 is not in"):
        REFER(tmp_path, "fake")


REAL = [("refcoco", "unc"), ("refcocog", "umd"), ("refcocog", "google")]


@pytest.mark.parametrize(("dataset", "split_by"), REAL)
def test_real_records(shared: Path, dataset: str, split_by: str) -> None:
    """Everything that can be asked, against loops over the files' own records."""
    root = shared / "data" / "pocket"
    refer = REFER(root, dataset, split_by)
    with (root / dataset / f"refs({split_by}).p").open("rb") as file:
        refs: list[dict[str, Any]] = pickle.load(file, encoding="utf-8")
    instances = json.loads((root / dataset / "instances.json").read_text())
    annotation = {ann["id"]: ann for ann in instances["annotations"]}
    assert refer.data["refs"] == refs
    for name in ("images", "annotations", "categories"):
        assert refer.data[name] == instances[name]
    for split in ("train", "val", "test", "testA", "testB"):
        wanted = [r["ref_id"] for r in refs if r["split"].startswith(split)]
        assert refer.getRefIds(split=split) == wanted
    for image in instances["images"]:
        ids = [ref["ref_id"] for ref in refs if ref["image_id"] == image["id"]]
        assert refer.getRefIds(image_ids=image["id"]) == ids
    for ref in refs:
        ann = annotation[ref["ann_id"]]
        assert refer.getAnnIds(ref_ids=ref["ref_id"]) == [ann["id"]]
        assert refer.getRefBox(ref["ref_id"]) == ann["bbox"]
        image = refer.loadImgs(ref["image_id"])[0]
        found = refer.getMask(ref)
        # Pillow draws polygons another way: outlines differ by a pixel, here and there.
        drawing = Image.new("1", (image["width"], image["height"]))
        for polygon in ann["segmentation"]:
            ImageDraw.Draw(drawing).polygon(polygon, fill=1)
        drawn = np.asarray(drawing, np.uint8)
        outline = sum(len(polygon) for polygon in ann["segmentation"]) + 4 * (drawn.sum() ** 0.5)
        assert (found["mask"] != drawn).sum() < 2 * outline
        assert found["area"] == found["mask"].sum()


def test_import_is_light() -> None:
    code = "import sys, refseg; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
