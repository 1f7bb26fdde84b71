"""Which data sets are found under a folder."""

from pathlib import Path

from refseg.data.mixtures.neighbours import coco_neighbours, present_sources
from refseg.data.mixtures.spec import DataSource

from ..fake_mixture import write_set


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_every_partition_and_every_format_is_found(tmp_path: Path) -> None:
    for name in (
        "refcoco/refs(unc).p",
        "refcoco/refs(google).p",
        "refcoco/instances.json",
        "mine/refs(me).p",
        "grefcoco/grefs(unc).json",
        "refcocog/data/train-00000-of-00001.parquet",
        "notes/refs.txt",
        "shapes/readme.txt",
    ):
        touch(tmp_path / name)
    assert present_sources(tmp_path) == [
        DataSource("grefcoco", "unc"),
        DataSource("mine", "me"),
        DataSource("refcoco", "google"),
        DataSource("refcoco", "unc"),
        DataSource("refcocog"),
    ]
    assert present_sources(tmp_path / "absent") == []


def test_neighbours_on_coco_images(mixed_root: Path, tmp_path: Path) -> None:
    """Not those in the mixture, not other partitions, not those on other photographs."""
    (tmp_path / "images").symlink_to(mixed_root / "images")
    for name, split_by in [
        ("refcoco", "unc"), ("refcoco", "google"), ("refcocog", "umd"), ("refcocog", "google"),
        ("refclef", "unc"), ("mine", "a"), ("mine", "b"),
    ]:  # fmt: skip
        write_set(tmp_path, name, split_by, {1: "val"})
    parts, problems = coco_neighbours(tmp_path, ["refcoco"])
    assert [part.title for part in parts] == ["mine (a)", "mine (b)", "refcocog (umd)"]
    assert problems == []
    (tmp_path / "mine" / "refs(b).p").write_bytes(b"no pickle")
    parts, problems = coco_neighbours(tmp_path, ["refcoco", "refcocog"])
    assert [part.title for part in parts] == ["mine (a)"]
    assert len(problems) == 1
    assert problems[0].startswith("mine (b) cannot be read, so its evaluation images are not left")
