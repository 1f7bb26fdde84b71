"""The same photograph is found again, and no evaluation image is trained on."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refseg.data.mixtures.leakage import describe, find_shared, image_keys
from refseg.data.mixtures.mixture import Mixture, Part
from refseg.data.mixtures.spec import DataSource
from refseg.data.mixtures.training import choose_training
from refseg.data.references import References
from refseg.data.schema import SCHEMA
from refseg.errors import DataError

Images = Mapping[int, str]  # image id -> split, or "" where the set does not have it


def table(name: str, rows: list[tuple[int, str, str]]) -> References:
    """A table of (image id, path, split), an expression each."""
    columns: dict[str, list[object]] = {field: [] for field in SCHEMA.names}
    for number, (image_id, path, split) in enumerate(rows):
        row = {
            "source": name,
            "expression_id": number,
            "reference_id": number,
            "annotation_ids": [number],
            "category_ids": [1],
            "image_id": image_id,
            "split": split,
            "expression": "it",
            "raw": "it",
            "image_path": path,
            "height": 1,
            "width": 1,
            "rle": b"01",
            "mask_kind": "mask",
            "category": None,
        }
        for field in SCHEMA.names:
            columns[field].append(row[field])
    return References.from_columns(columns)


def key(dataset: str, image_id: int, path: str) -> str:
    (found,) = image_keys(table(dataset, [(image_id, path, "train")]), dataset).to_pylist()
    return found


def test_coco_images_are_known_by_their_number() -> None:
    name = "COCO_train2014_000000000009"
    for dataset, image_id, path in [
        ("refcoco", 9, f"/data/images/train2014/{name}.jpg"),
        ("mine", 1, f"/elsewhere/{name}.jpg"),
        ("mine", 2, f"/data/train2014.zip/train2014/{name}.jpg"),
        ("mine", 3, f"/data/{name}_16.jpg"),
        ("mine", 4, "/data/train2017/000000000009.jpg"),
        ("mine", 5, "/data/val2017/000000000009.jpg"),
        ("refcocog", 9, "/data/images/renamed/a.png"),
        ("grefcoco", 9, "/data/9.jpg"),
    ]:
        assert key(dataset, image_id, path) == "train2014:9", path


def test_other_images_are_known_by_their_path(tmp_path: Path) -> None:
    assert key("mine", 9, "/data/images/9.jpg") == "/data/images/9.jpg"
    assert key("mine", 9, "/data/000000000009.jpg") != "train2014:9", "a number, but not of COCO"
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert key("mine", 1, f"{tmp_path}/link/a.jpg") == key("mine", 2, f"{tmp_path}/real/a.jpg")
    # ReferIt and RefCLEF annotate the same photographs, which people keep in different folders.
    assert key("referit", 38100, "/a/38100.jpg") == key("refclef", 38100, "/b/38100.jpg")
    assert key("referit", 9, "/a/9.jpg") != "train2014:9"


def test_an_empty_table_has_no_images() -> None:
    empty = References(SCHEMA.empty_table())
    assert len(image_keys(empty, "mine")) == 0
    shared, rows = find_shared(empty, "mine", {"other": {"train2014:1"}})
    assert (shared.images, shared.all_images, len(rows)) == (0, 0, 0)


def mixture(sets: Mapping[str, Images]) -> Mixture:
    """Data sets with two expressions on each of their images, in files named differently."""
    parts = []
    for number, (name, splits) in enumerate(sets.items()):
        rows = [
            (image_id, f"/{number}/COCO_train2014_{image_id:012d}.jpg", split)
            for image_id, split in splits.items()
            if split
            for _ in range(2)
        ]
        parts.append(Part(name, DataSource(name), table(name, rows)))
    return Mixture(parts)


SPLITS = st.sampled_from(["", "train", "train", "val", "test", "testA"])
SETS = st.dictionaries(
    st.sampled_from(["refcoco", "refcoco+", "refcocog", "mine"]),
    st.dictionaries(st.integers(1, 12), SPLITS, min_size=1),
    min_size=1,
)


@settings(deadline=None, max_examples=100)
@given(sets=SETS, others=SETS)
def test_no_evaluation_image_is_ever_trained_on(
    sets: dict[str, Images], others: dict[str, Images]
) -> None:
    """And nothing else is left out: what remains is worked out here with plain sets."""
    everything = [*sets.values(), *others.values()]
    evaluated = {
        image for splits in everything for image, split in splits.items()
        if split not in ("", "train")
    }  # fmt: skip
    expected = {
        name: {image for image, split in splits.items() if split == "train"} - evaluated
        for name, splits in sets.items()
    }
    arguments = mixture(sets), ["train"], ["val"], mixture(others).parts
    if not all(expected.values()):
        with pytest.raises(DataError, match=r"to train on|Unknown split 'train'|no rows at all"):
            choose_training(*arguments)
        return
    chosen = choose_training(*arguments)
    assert {training.part.name for training in chosen} == set(sets)
    for training in chosen:
        name, table = training.part.name, training.references.table
        assert set(table["image_id"].to_pylist()) == expected[name]
        assert table["split"].unique().to_pylist() == ["train"]
        trained = sum(split == "train" for split in sets[name].values())
        assert training.shared.images == trained - len(expected[name])
        assert training.shared.expressions == 2 * training.shared.images
        assert training.shared.all_expressions == 2 * training.shared.all_images == 2 * trained


def test_a_split_that_is_evaluated_is_not_trained_on() -> None:
    one = mixture({"refcoco": {1: "train", 2: "val", 3: "testA"}})
    (training,) = choose_training(one, ["train", "val"], ["testA"])
    assert training.references.table["image_id"].unique().to_pylist() == [1, 2]
    (training,) = choose_training(one, ["train", "val"], ["val"])
    assert training.references.table["image_id"].unique().to_pylist() == [1]
    (training,) = choose_training(one, ["trainval"], ["testA"])
    assert training.references.table["image_id"].unique().to_pylist() == [1, 2]
    with pytest.raises(DataError, match=r"Nothing to train on is left: refcoco: 1 of 1 training"):
        choose_training(one, ["val"], ["val"])


def test_turning_it_off_keeps_all_and_still_counts() -> None:
    both = mixture({"refcoco": {1: "train", 2: "train"}, "refcocog": {2: "val", 3: "train"}})
    first, second = choose_training(both, ["train"], ["val"], keep_evaluation_images=True)
    assert len(first.references) == 4
    assert (first.shared.images, second.shared.images) == (1, 0)
    assert "trained on 1 of 2 training images (2 of 4 expressions), although" in describe(
        "refcoco", first.shared, are_kept=True
    )


def test_lines() -> None:
    sets = {"refcocog": {1: "train", 2: "train", 3: "train"}, "refcoco": {2: "val", 4: "train"}}
    both = mixture(sets)
    first, second = choose_training(both, ["train"], ["val"])
    assert describe("refcocog", first.shared, are_kept=False) == (
        "refcocog: 1 of 3 training images (2 of 6 expressions) are left out of training, as they "
        "are evaluation images (of refcoco). data.train_on_evaluation_images would keep them."
    )
    assert describe("refcoco", second.shared, are_kept=False) == (
        "refcoco: none of 1 training images is an evaluation image."
    )
