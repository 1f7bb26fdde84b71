"""The catalogue against the figures of the papers, and against its own rules."""

import re
from pathlib import Path

import pytest

from refseg.data.catalog import CATALOG, IMAGE_SETS, KnownDataset, KnownFile, SplitSize, known
from refseg.data.presence import (
    find_images,
    find_partitions,
    has_parquet,
    holds,
    images_of,
    lacks,
)
from refseg.errors import ConfigError

FILES = [
    pytest.param(file, id=f"{name}-{file.name}")
    for name, item in {**CATALOG, **IMAGE_SETS}.items()
    for file in item.files
]


@pytest.mark.parametrize(
    ("name", "references", "expressions"),
    [("refcoco", 50_000, 142_210), ("refcoco+", 49_856, 141_564), ("refcocog", 49_822, 95_010)],
)
def test_splits_add_up_to_the_totals_of_the_papers(
    name: str, references: int, expressions: int
) -> None:
    splits = CATALOG[name].splits("umd" if name == "refcocog" else "unc").values()
    assert sum(split.references or 0 for split in splits) == references
    assert sum(split.expressions or 0 for split in splits) == expressions


def test_referit_has_the_regions_and_expressions_that_were_counted() -> None:
    splits = CATALOG["referit"].splits()
    assert sum(split.references or 0 for split in splits.values()) == 99_245
    assert sum(split.expressions or 0 for split in splits.values()) == 120_081
    assert splits["val"] == SplitSize(4866, 1000, 5842)


def test_phrasecut_needs_the_images_of_its_splits() -> None:
    splits = CATALOG["phrasecut"].splits("v0")
    needed = sum(splits[name].images or 0 for name in ("train", "val", "test"))
    assert IMAGE_SETS["visual_genome"].enough == needed


def test_coco_images_are_known_as_such() -> None:
    coco = {name for name, dataset in CATALOG.items() if dataset.uses_coco_images}
    assert coco == {"refcoco", "refcoco+", "refcocog", "grefcoco"}


@pytest.mark.parametrize("name", CATALOG)
def test_a_data_set_lies_in_the_folder_of_its_name(name: str) -> None:
    dataset = CATALOG[name]
    assert dataset.name == name
    assert {file.folder for file in dataset.files} <= {name}
    held = {pattern for file in dataset.files for pattern in file.holds}
    assert {pattern for needs in dataset.needs.values() for pattern in needs} <= held
    assert dataset.partitions.keys() == dataset.needs.keys()
    assert dataset.image_set is None or images_of(dataset) is IMAGE_SETS[dataset.image_set]
    assert dataset.licence
    assert dataset.source


@pytest.mark.parametrize("file", FILES)
def test_a_file_can_be_got(file: KnownFile) -> None:
    assert file.mirrors or "drive.google.com" in file.pages[0]  # which no address gives as a file
    assert file.pages
    assert all(re.fullmatch(r"https?://[^\s]+", url) for url in (*file.mirrors, *file.pages))
    assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert (file.sha256 is None) == (file.size is None)
    # Without encryption anybody on the way could send something else.
    assert file.sha256 or all("https://" in url for url in file.mirrors)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_images_are_put_where_they_are_looked_for(name: str, tmp_path: Path) -> None:
    image_set = IMAGE_SETS[name]
    for file in image_set.files:
        assert file.folder in image_set.folders
        assert file.kept_as is None or file.kept_as in image_set.archives
    assert find_images(tmp_path, image_set) is None
    folder = tmp_path / image_set.files[0].folder
    folder.mkdir(parents=True)
    assert find_images(tmp_path, image_set) is None
    (folder / "1.jpg").write_bytes(b"jpeg")
    found = find_images(tmp_path, image_set)
    assert found is not None
    assert (found.place, found.images) == (folder, 1)


def test_images_by_data_set_are_found(tmp_path: Path) -> None:
    (tmp_path / "images" / "refclef").mkdir(parents=True)
    (tmp_path / "images" / "refclef" / "1.jpg").write_bytes(b"jpeg")
    assert find_images(tmp_path, IMAGE_SETS["saiapr_tc-12"]) is None
    assert find_images(tmp_path, IMAGE_SETS["saiapr_tc-12"], "refclef") is not None


def test_annotations_are_found(tmp_path: Path) -> None:
    refcoco = CATALOG["refcoco"]
    assert find_partitions(tmp_path, refcoco) == {
        "unc": ["instances.json", "refs(unc).p"],
        "google": ["instances.json", "refs(google).p"],
    }
    (tmp_path / "refcoco" / "data").mkdir(parents=True)
    for name in ("instances.json", "refs(unc).p"):
        (tmp_path / "refcoco" / name).write_bytes(b"{}")
    (tmp_path / "refcoco" / "refs(google).p").write_bytes(b"")  # an empty file is no file
    assert find_partitions(tmp_path, refcoco) == {"unc": [], "google": ["refs(google).p"]}
    assert lacks(tmp_path, refcoco.files[0]) == ["refs(google).p"]
    assert not has_parquet(tmp_path, refcoco)
    (tmp_path / "refcoco" / "data" / "train-00000-of-00001-a.parquet").write_bytes(b"PAR1")
    assert has_parquet(tmp_path, refcoco)


def test_patterns_match_names(tmp_path: Path) -> None:
    (tmp_path / "image_data_split3000.json").write_bytes(b"[]")
    assert holds(tmp_path, "image_data_split*.json")
    assert not holds(tmp_path, "refer_*.json")
    assert not holds(tmp_path / "absent", "*.json")


def test_the_real_data_is_recognised(shared: Path) -> None:
    assert find_partitions(shared / "data" / "pocket", CATALOG["refcocog"]) == {
        "umd": [],
        "google": [],
    }
    assert find_partitions(shared / "data", CATALOG["referit"]) == {"text_objseg": []}
    for file in CATALOG["referit"].files:
        assert (shared / "data" / "referit" / file.name).stat().st_size == file.size


def test_unknown_names_get_a_helpful_message() -> None:
    with pytest.raises(ConfigError, match=r"did you mean refcocog\?"):
        known("RefCOCOG")
    with pytest.raises(ConfigError, match="partitions unc, google; none was named"):
        CATALOG["refcoco"].splits()
    with pytest.raises(ConfigError, match="got 'umd'"):
        CATALOG["refcoco"].splits("umd")
    assert isinstance(known("refcoco+"), KnownDataset)
