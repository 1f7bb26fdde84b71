"""Every published format goes through the cache, and what its reader depends on makes it stale."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data import cache
from refseg.data.cache import open_references
from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.errors import DataError

from .fake_folder import records, write_csv, write_fake_folder
from .fake_phrasecut import write_fake_phrasecut
from .fake_refer import write_fake_refer
from .fake_referit import write_fake_referit
from .fake_sets import WRITERS

# A root, a data set in it, and whether files may lie outside of its folder.
Layout = tuple[Path, str, bool]


def kinds(references: References) -> set[str]:
    return set(references.table["mask_kind"].to_pylist())


@pytest.mark.parametrize("dataset", WRITERS)
def test_is_read_once(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = WRITERS[dataset](tmp_path / "root")
    expected = read_references(root, dataset)
    first = open_references(root, dataset)
    monkeypatch.setattr(cache, "read_references", None)
    second = open_references(root, dataset)
    assert first.table.to_pylist() == second.table.to_pylist() == expected.table.to_pylist()
    assert (second.skipped, second.notes) == (expected.skipped, expected.notes)


ELSEWHERE = ["mask", "referit-dataset/mask", "saiapr_tc-12/07/segmentation_masks"]


@pytest.mark.parametrize("place", ["referit/mask", *ELSEWHERE])
def test_masks_that_come_later(tmp_path: Path, place: str) -> None:
    """ReferIt without masks has boxes; masks may be put into any of the places, deep down, too."""
    root = write_fake_referit(tmp_path / "root")
    (root / "referit" / "mask").rename(tmp_path / "mask")
    check_masks_that_come_later(root, place, tmp_path / "mask")


@pytest.mark.parametrize("place", ELSEWHERE)
def test_masks_that_come_later_without_own_folder(tmp_path: Path, place: str) -> None:
    root = write_fake_referit(tmp_path) / "referit"
    (root / "mask").rename(tmp_path / "mask")
    check_masks_that_come_later(root, place, tmp_path / "mask")


def check_masks_that_come_later(root: Path, place: str, masks: Path) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    assert kinds(open_references(root, "referit")) == {"box"}
    masks.rename(root / place)
    assert "mask" in kinds(open_references(root, "referit"))
    shutil.rmtree(root / place)
    assert kinds(open_references(root, "referit")) == {"box"}


def test_a_split_that_comes_later(tmp_path: Path) -> None:
    """PhraseCut's files may lie in the root itself, which is not listed."""
    root = write_fake_phrasecut(tmp_path) / "phrasecut"
    validation = root / "refer_val.json"
    validation.rename(tmp_path / "away")
    assert "val" not in open_references(root, "phrasecut").splits
    (tmp_path / "away").rename(validation)
    assert "val" in open_references(root, "phrasecut").splits


def _in_root(write: Callable[[Path], Path], dataset: str) -> Callable[[Path], Layout]:
    return lambda folder: (write(folder) / dataset, dataset, False)


def _masks_beside(folder: Path) -> Layout:
    root = write_fake_referit(folder)
    (root / "referit" / "mask").rename(root / "masks")
    return root, "referit", False


def _images_beside(folder: Path) -> Layout:
    root = write_fake_phrasecut(folder)
    (root / "phrasecut" / "images").rename(root / "images")
    return root, "phrasecut", False


def _zipped(folder: Path) -> Layout:
    root = write_fake_refer(folder)
    images = root / "images" / "train2014"
    with zipfile.ZipFile(root / "images" / "train2014.zip", "w") as archive:
        for path in images.iterdir():
            archive.write(path, f"train2014/{path.name}")
    shutil.rmtree(images)
    return root, "fake", False


def _outside(folder: Path) -> Layout:
    root = write_fake_folder(folder)
    (root / "mine" / "dog.jpg").rename(folder / "dog.jpg")
    (root / "mine" / "masks").rename(folder / "masks")
    lines = records()
    for line in lines:
        if line["image"] == "dog.jpg":
            line["image"] = "../dog.jpg"
        if isinstance(line["mask"], str):
            line["mask"] = str(folder / line["mask"])
    write_csv(root / "mine" / "annotations.csv", lines)
    return root, "mine", True


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    **{
        dataset: lambda folder, write=write, dataset=dataset: (write(folder), dataset, False)
        for dataset, write in WRITERS.items()
    },
    "refer in a zip file": _zipped,
    "referit in the root": _in_root(write_fake_referit, "referit"),
    "referit, masks beside": _masks_beside,
    "phrasecut in the root": _in_root(write_fake_phrasecut, "phrasecut"),
    "phrasecut, images beside": _images_beside,
    "own files outside": _outside,
}

# Python tells its audit hooks which files are opened, and an own process is rid of them afterwards.
WATCH = """
import json, os, sys
from pathlib import Path
from refseg.data.readers import read_references

opened = {}
def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        opened.setdefault(os.path.abspath(os.fspath(arguments[0])))
sys.addaudithook(hear)
found = {}
for name, (folder, root, dataset, outside) in json.loads(sys.argv[1]).items():
    opened.clear()
    read_references(root, dataset, outside_files=outside)
    found[name] = [path for path in opened if path.startswith(folder) and os.path.isfile(path)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Layout, list[Path]]]:
    """Each layout, with the files that its reader opens."""
    folders = {name: tmp_path_factory.mktemp("layout") for name in LAYOUTS}
    made = {name: write(folders[name]) for name, write in LAYOUTS.items()}
    asked = {
        name: (str(folders[name]), str(root), dataset, outside)
        for name, (root, dataset, outside) in made.items()
    }
    words = [sys.executable, "-c", WATCH, json.dumps(asked)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    opened = json.loads(done.stdout)
    return {name: (made[name], [Path(path) for path in opened[name]]) for name in LAYOUTS}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_file_that_a_reader_opens_counts(
    name: str,
    layouts: dict[str, tuple[Layout, list[Path]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (root, dataset, outside), paths = layouts[name]
    readings = []

    def counting(*args: object) -> References:
        readings.append(args)
        return read_references(*args)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(cache, "read_references", counting)

    def reads() -> int:
        before = len(readings)
        with contextlib.suppress(DataError):  # of files that are broken
            open_references(root, dataset, outside_files=outside)
        return len(readings) - before

    if dataset != "refcoco":  # pyarrow opens its files itself
        assert paths, "it is known which files are read"
    paths += sorted((root / dataset).rglob("*.parquet"))
    for path in paths:
        os.utime(path, ns=(10**18, 10**18))
    assert (reads(), reads()) == (1, 0)
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert reads() == 1, f"{path} was changed"
        path.unlink()
        assert reads() == 1, f"{path} was removed"
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        reads()
        assert reads() == 0


def test_photographs_of_refclef_that_come_later(tmp_path: Path) -> None:
    """Their references are left out for as long as they are absent."""
    root = write_fake_refer(tmp_path)
    (root / "fake").rename(root / "refclef")
    instances = json.loads((root / "refclef" / "instances.json").read_text())
    picture = root / "images" / "train2014" / instances["images"][0]["file_name"]
    instances["images"][0]["file_name"] = "19579.jpg"
    (root / "refclef" / "instances.json").write_text(json.dumps(instances))
    picture.rename(tmp_path / "away")
    without = len(open_references(root, "refclef"))
    (tmp_path / "away").rename(picture.with_name("19579.jpg"))
    assert len(open_references(root, "refclef")) > without


def test_files_in_the_root_that_make_it_another_format(tmp_path: Path) -> None:
    root = write_fake_folder(tmp_path / "root")
    (root / "mine").rename(root / "phrasecut")
    assert open_references(root, "phrasecut").source == "phrasecut"
    others = write_fake_phrasecut(tmp_path / "other") / "phrasecut"
    for path in others.iterdir():
        path.rename(root / path.name)
    assert set(open_references(root, "phrasecut").splits) > {"miniv"}
