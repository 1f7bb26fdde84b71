"""The set on disk: layout, determinism, many processes, interruption."""

import ast
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import pytest

import refseg
from refseg.data.readers.refer import read_refer
from refseg.data.shapes import ShapesOptions, prepare_shapes, shapes_folder
from refseg.data.shapes.scenes import UNSEEN_PAIRS
from refseg.errors import ConfigError, DataError

BUILD = """
import sys
from pathlib import Path
from refseg.data.shapes import ShapesOptions, prepare_shapes, writer
write = writer._write
def noted(*arguments):
    with open(sys.argv[2], "a") as log:
        log.write("built\\n")
    write(*arguments)
writer._write = noted
options = ShapesOptions(level=3, train_images=int(sys.argv[3]), evaluation_images=2)
print(prepare_shapes(options, Path(sys.argv[1])))
"""


def start(root: Path, log: Path, images: int, hash_seed: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(root), str(log), str(images)],
        cwd=Path(refseg.__file__).parents[1],
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        text=True,
    )


def digest(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def options() -> ShapesOptions:
    return ShapesOptions(level=2, train_images=12, evaluation_images=6)


@pytest.fixture(scope="module")
def root(options: ShapesOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_shapes(options, tmp_path_factory.mktemp("shapes") / "set", progress=False)


@pytest.fixture(scope="module")
def tables(root: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    references = pickle.loads((root / "shapes" / "refs(shapes).p").read_bytes())
    return references, json.loads((root / "shapes" / "instances.json").read_text())


def test_the_reader_of_the_real_sets_reads_it(root: Path) -> None:
    references = read_refer(root, "shapes", "shapes")
    assert references.splits == ("train", "val", "testA", "testB")
    assert len(references) == 2 * len(
        pickle.loads((root / "shapes" / "refs(shapes).p").read_bytes())
    )
    assert len(references.split("testB").images().offsets) == 6 + 1


def test_records_have_the_schema_of_real_ones(
    tables: tuple[list[dict[str, Any]], dict[str, Any]], shared: Path
) -> None:
    pool = shared / "data" / "pool" / "pool"
    real = pickle.loads((pool / "refs(pool).p").read_bytes(), encoding="latin1")
    real_instances = json.loads((pool / "instances.json").read_text())
    references, instances = tables
    assert _types(references[0]) == _types(real[0])
    assert _types(references[0]["sentences"][0]) == _types(real[0]["sentences"][0])
    for key in ("images", "annotations", "categories"):
        needed = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"}
        needed |= {"name", "supercategory", "width", "height", "file_name"}
        assert needed & real_instances[key][0].keys() <= instances[key][0].keys()


def _types(record: dict[str, Any]) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in record.items()}


def test_ids_point_where_they_should(
    root: Path, tables: tuple[list[dict[str, Any]], dict[str, Any]]
) -> None:
    references, instances = tables
    images = {image["id"]: image for image in instances["images"]}
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    assert len(images) == 12 + 3 * 6
    sentences = [sentence for reference in references for sentence in reference["sentences"]]
    assert [sentence["sent_id"] for sentence in sentences] == list(range(len(sentences)))
    for reference in references:
        annotation = annotations[reference["ann_id"]]
        image = images[reference["image_id"]]
        assert annotation["image_id"] == reference["image_id"]
        assert annotation["category_id"] == reference["category_id"]
        assert reference["file_name"] == f"shapes_{image['id']:012d}_{annotation['id']}.jpg"
        assert [s["sent_id"] for s in reference["sentences"]] == reference["sent_ids"]
        for sentence in reference["sentences"]:
            assert sentence["tokens"] == sentence["sent"].split()
    for image in images.values():
        pixels = cv2.imread(str(root / "images" / "shapes" / image["file_name"]))
        assert pixels.shape == (image["height"], image["width"], 3)
    for annotation in annotations.values():
        left, top, width, height = annotation["bbox"]
        xs = [x for polygon in annotation["segmentation"] for x in polygon[::2]]
        ys = [y for polygon in annotation["segmentation"] for y in polygon[1::2]]
        assert (left, top) == (min(xs), min(ys))
        assert (left + width, top + height) == pytest.approx((max(xs), max(ys)))
        assert 0.1 * width * height < annotation["area"] < 1.15 * width * height


def test_every_object_that_is_named_has_a_distractor(
    tables: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    references, instances = tables
    looks: dict[int, list[tuple[int, int, str]]] = {}
    for annotation in instances["annotations"]:
        look = (annotation["id"], annotation["category_id"], annotation["attributes"]["colour"])
        looks.setdefault(annotation["image_id"], []).append(look)
    for reference in references:
        others = looks[reference["image_id"]]
        (own,) = [look for look in others if look[0] == reference["ann_id"]]
        assert any(o[0] != own[0] and (o[1] == own[1] or o[2] == own[2]) for o in others)
    named: dict[int, int] = {}
    for reference in references:
        named[reference["image_id"]] = named.get(reference["image_id"], 0) + 1
    assert set(named.values()) <= {2, 3, 4}


def test_test_b_has_only_pairs_that_occur_nowhere_else(
    tables: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    references, instances = tables
    names = {category["id"]: category["name"] for category in instances["categories"]}
    split_of = {reference["image_id"]: reference["split"] for reference in references}
    for annotation in instances["annotations"]:
        pair = (annotation["attributes"]["colour"], names[annotation["category_id"]])
        assert (pair in UNSEEN_PAIRS) == (split_of[annotation["image_id"]] == "testB")


def test_splits_do_not_change_with_the_number_of_training_images(
    root: Path, tmp_path: Path, tables: tuple[list[dict[str, Any]], dict[str, Any]]
) -> None:
    other = prepare_shapes(
        ShapesOptions(level=2, train_images=5, evaluation_images=3), tmp_path / "set"
    )

    def sentences(folder: Path, split: str) -> list[str]:
        return read_refer(folder, "shapes").split(split).expressions.to_pylist()

    for split in ("train", "val", "testA", "testB"):
        few, many = sentences(other, split), sentences(root, split)
        assert few == many[: len(few)]


def test_many_processes_build_once_and_bytes_do_not_depend_on_the_hash_seed(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    processes = [start(tmp_path / "together", log, 12, hash_seed=seed) for seed in (1, 2)]
    for process in processes:
        assert process.communicate()[0].strip() == str(tmp_path / "together")
        assert process.returncode == 0
    assert log.read_text() == "built\n"
    options = ShapesOptions(level=3, train_images=12, evaluation_images=2)
    prepare_shapes(options, tmp_path / "alone")
    assert digest(tmp_path / "together") == digest(tmp_path / "alone")
    left = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    assert left == {"together", "alone", "log"}


def test_a_killed_run_leaves_nothing_half_made(tmp_path: Path) -> None:
    root, log = tmp_path / "cache" / "set", tmp_path / "log"
    process = start(root, log, 100_000)
    deadline = time.monotonic() + 60
    while len(list(root.parent.glob(".set.*.partial/images/shapes/*.jpg"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not root.exists()
    assert list(root.parent.glob(".set.*.partial"))

    options = ShapesOptions(level=3, train_images=4, evaluation_images=2)
    assert prepare_shapes(options, root) == root
    assert len(list((root / "images" / "shapes").iterdir())) == 4 + 3 * 2
    assert not list(root.parent.glob(".set.*.partial"))
    assert len(read_refer(root, "shapes").split("testA")) > 0


def test_a_complete_set_is_not_written_again(options: ShapesOptions, root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert prepare_shapes(options, root) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_set_in_the_folder_is_not_overwritten(root: Path, tmp_path: Path) -> None:
    before = digest(root)
    with pytest.raises(DataError, match="found something else there; remove that folder"):
        prepare_shapes(ShapesOptions(level=1, train_images=12, evaluation_images=6), root)
    assert digest(root) == before
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(DataError, match="something else"):
        prepare_shapes(ShapesOptions(), tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.set.*REFSEG_CACHE"):
        prepare_shapes(ShapesOptions(), tmp_path / "file" / "set")


def test_the_folder_follows_the_options_and_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = [
        ShapesOptions(),
        ShapesOptions(level=2),
        ShapesOptions(seed=1),
        ShapesOptions(train_images=2999),
        ShapesOptions(expressions_per_object=1),
    ]
    assert len({shapes_folder(variant, tmp_path) for variant in variants}) == len(variants)
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path / "elsewhere"))
    before = shapes_folder(ShapesOptions())
    assert before.parent == tmp_path / "elsewhere"
    monkeypatch.setattr("cv2.__version__", "999")
    assert shapes_folder(ShapesOptions()) != before


@pytest.mark.parametrize(
    ("name", "value"),
    [("level", 0), ("level", 4), ("train_images", 0), ("evaluation_images", -1), ("seed", -1)],
)
def test_an_option_out_of_range_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"Expected {name} .* got {value}"):
        ShapesOptions(**{name: value})


def test_drawing_needs_no_torch() -> None:
    folder = Path(refseg.__file__).parent / "data" / "shapes"
    imported = {
        name
        for path in folder.glob("*.py")
        if path.name != "blind.py"  # reads the set as any other, through the reader
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    allowed = ("refseg.data.shapes", "refseg.errors", "refseg.files", "refseg.progress")
    ours = {name for name in imported if name.startswith("refseg")}
    assert all(name.startswith(allowed) for name in ours)
    assert not imported & {"torch", "lightning", "torchvision", "transformers"}
