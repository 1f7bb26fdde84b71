"""Several data sets in one data module."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from refseg.data import ReferringDataModule
from refseg.data.mixtures.spec import DataSource
from refseg.errors import ConfigError, DataError
from refseg.types import Batch

from ..fake_mixture import MIXTURE, write_set
from ..fake_refer import annotations, write_annotations

THREE = ["refcoco:unc", "refcoco+:unc", "refcocog:umd"]


def make(root: Path | None, dataset: object = THREE, **options: object) -> ReferringDataModule:
    defaults = {"image_size": 16, "batch_size": 2, "num_workers": 0}
    return ReferringDataModule(root=root, dataset=dataset, **defaults | options)  # type: ignore[arg-type]  # as a config would


def images_of(batches: list[Batch]) -> set[int]:
    return {int(Path(path).stem[-12:]) for batch in batches for path in batch.image_paths}


def ids(batches: list[Batch]) -> list[int]:
    return [number for batch in batches for number in batch.expression_ids]


def rows_of(image: int) -> list[int]:
    """The ids of the six expressions that every fake set has on an image."""
    return list(range(100 + 6 * (image - 1), 100 + 6 * image))


def test_evaluation_images_of_all_sets_are_left_out(
    mixed_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evaluated somewhere: 4, 5, 6 (refcoco), 2, 5, 6 (refcoco+), 3, 4 (refcocog)."""
    data = make(mixed_root)
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert images_of(batches) == {1, 7}
    assert Counter(ids(batches)) == {
        **dict.fromkeys(rows_of(1), 3),  # in three sets, under the same ids
        **dict.fromkeys(rows_of(7), 1),
    }
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{title}: {counts} are left out of training, as they are evaluation images (of {owners}). "
        "data.train_on_evaluation_images would keep them."
        for title, counts, owners in [
            ("refcoco (unc)", "2 of 3 training images (12 of 18 expressions)",
             "refcoco+ (unc), refcocog (umd)"),
            ("refcoco+ (unc)", "2 of 3 training images (12 of 18 expressions)",
             "refcoco (unc), refcocog (umd)"),
            ("refcocog (umd)", "1 of 3 training images (6 of 18 expressions)",
             "refcoco (unc), refcoco+ (unc)"),
        ]
    ]  # fmt: skip


def test_turning_it_off(mixed_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make(mixed_root, train_on_evaluation_images=True)
    data.setup("fit")
    assert images_of(list(data.train_dataloader())) == {1, 2, 3, 4, 6, 7}
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(", although")[0] for line in lines] == [
        "refcoco (unc): trained on 2 of 3 training images (12 of 18 expressions)",
        "refcoco+ (unc): trained on 2 of 3 training images (12 of 18 expressions)",
        "refcocog (umd): trained on 1 of 3 training images (6 of 18 expressions)",
    ]
    assert data.state_dict()["trained_on_evaluation_images"] is True


def test_the_flag_stays(mixed_root: Path) -> None:
    """Who goes on from a model that has seen evaluation images has one that has seen them."""
    leaky = make(mixed_root, train_on_evaluation_images=True).state_dict()
    clean = make(mixed_root).state_dict()
    for state, option, expected in [
        (leaky, False, True), (leaky, True, True), (clean, True, True), (clean, False, False),
        ({k: v for k, v in clean.items() if k != "trained_on_evaluation_images"}, False, None),
    ]:  # fmt: skip
        data = make(mixed_root, train_on_evaluation_images=option)
        data.load_state_dict(state)
        assert data.trained_on_evaluation_images is expected


def test_each_split_of_each_set_is_evaluated(mixed_root: Path) -> None:
    data = make(mixed_root)
    assert data.val_groups == [["refcoco/val"], ["refcoco+/val"], ["refcocog/val"]]
    loaders = data.val_dataloader()
    assert isinstance(loaders, list)
    assert [ids(list(loader)) for loader in loaders] == [rows_of(4), rows_of(2), rows_of(4)]
    data.setup("test")
    assert data.split_names == [
        *("refcoco/val", "refcoco/testA", "refcoco/testB"),
        *("refcoco+/val", "refcoco+/testA", "refcoco+/testB"),
        *("refcocog/val", "refcocog/test"),
    ]
    found = [list(loader) for loader in data.test_dataloader()]
    assert [images_of(batches) for batches in found] == [{4}, {5}, {6}, {2}, {5}, {6}, {4}, {3}]
    for name, batches in zip(data.split_names, found, strict=True):
        assert ids(batches) == data.splits.expression_ids([name]).tolist()
    assert all(text.endswith("of refcocoplus") for batch in found[3] for text in batch.expressions)


def test_names_of_splits(mixed_root: Path) -> None:
    data = make(mixed_root, val_splits=["refcoco/testA", "test"], test_splits=["testB", "val"])
    assert data.val_groups == [["refcoco/testA"], ["refcocog/test"]]
    assert data.split_names == [
        "refcoco/testB", "refcoco+/testB", "refcoco/val", "refcoco+/val", "refcocog/val"
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"Unknown data set 'refclef' in the split 'refclef/val'"):
        make(mixed_root, val_splits=["refclef/val"]).setup("fit")
    with pytest.raises(DataError, match=r"Unknown split .testA. of refcocog .*train, val"):
        make(mixed_root, val_splits=["refcocog/testA"]).setup("fit")
    with pytest.raises(DataError, match=r"Unknown split 'x' of refcoco .*refcocog/test\."):
        make(mixed_root, val_splits=["x"]).setup("fit")


def test_a_set_alone_keeps_its_names(mixed_root: Path) -> None:
    for dataset in ("refcoco:unc", ["refcoco:unc"], [DataSource("refcoco", "unc", 1.0)]):
        data = make(mixed_root, dataset, val_splits=["val", "refcoco/testA"])
        assert data.val_groups == [["val", "testA"]]
        assert data.split_names == ["val", "testA", "testB"]
        assert images_of(list(data.train_dataloader())) == {1, 2, 3}, "not clear of other sets"


def test_protected_data_sets(mixed_root: Path) -> None:
    data = make(mixed_root, "refcoco", protected_datasets=["refcocog:umd"])
    assert images_of(list(data.train_dataloader())) == {1, 2}
    two = ["refcoco:unc", "refcoco+:unc"]
    # By default a mixture keeps clear of what lies beside it: refcocog tests on image 3.
    assert images_of(list(make(mixed_root, two).train_dataloader())) == {1}
    clear = make(mixed_root, two, protected_datasets=[])
    assert images_of(list(clear.train_dataloader())) == {1, 3}
    with pytest.raises(DataError, match="no folder 'nothing'"):
        _ = make(mixed_root, two, protected_datasets=["nothing"]).training


def test_other_partitions_of_a_neighbour_do_not_count(mixed_root: Path, tmp_path: Path) -> None:
    """RefCOCOg's google partition, which comes in the same archive, validates on training images.

    A data set beside the mixture that cannot be read is named, and stops nothing.
    """
    root = Path(shutil.copytree(mixed_root, tmp_path / "root"))
    write_set(root, "refcocog", "google", {1: "val", 7: "train"})
    (root / "broken").mkdir()
    (root / "broken" / "refs(unc).p").write_bytes(b"no pickle")
    data = make(root, ["refcoco:unc", "refcoco+:unc"])
    assert images_of(list(data.train_dataloader())) == {1}


def test_unreadable_neighbours_are_named(
    mixed_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(mixed_root, tmp_path / "root"))
    (root / "refcocog" / "refs(umd).p").write_bytes(b"no pickle")
    _ = make(root, ["refcoco:unc", "refcoco+:unc"]).training
    assert capsys.readouterr().err.startswith(
        "refcocog (umd) cannot be read, so its evaluation images are not left out of training: "
    )


def test_a_set_that_shares_images_between_its_own_splits(
    tmp_path: Path, mixed_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RefCOCOg (google) is split by object: image 1 is in train and in val."""
    (tmp_path / "images").symlink_to(mixed_root / "images")
    refs, instances = annotations()
    for number, ref in enumerate(refs):  # three objects on each of seven images
        ref["split"] = "val" if number in {0, 20} else "train"
    write_annotations(tmp_path, refs, instances, "refcocog", "google")
    data = make(tmp_path, "refcocog", split_by="google")
    assert images_of(list(data.train_dataloader())) == {2, 3, 4, 5, 6}
    assert capsys.readouterr().err == (
        "refcocog (google): 2 of 7 training images (8 of 38 expressions) are left out of training, "
        "as they are evaluation images (of refcocog (google) itself, whose splits share images). "
        "data.train_on_evaluation_images would keep them.\n"
    )


def test_two_partitions_of_one_set(mixed_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(mixed_root, tmp_path / "root"))
    write_set(root, "refcocog", "google", {1: "val", 7: "train"})
    data = make(root, ["refcocog:umd", "refcocog:google"], protected_datasets=[])
    assert data.val_groups == [["refcocog-umd/val"], ["refcocog-google/val"]]
    assert images_of(list(data.train_dataloader())) == {6, 7}


def test_the_vocabulary_is_of_what_is_trained_on(mixed_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(mixed_root, tmp_path / "root"))
    refs, instances = annotations()
    splits = MIXTURE["refcoco", "unc"]
    refs = [ref for ref in refs if ref["image_id"] in splits]
    for ref in refs:
        ref["split"] = splits[ref["image_id"]]
        for sentence in ref["sentences"]:
            sentence["sent"] += f" image{'abcdefg'[ref['image_id'] - 1]}"
    write_annotations(root, refs, instances, "refcoco")
    data = make(root)
    _ = data.vocab_size
    assert data.tokenizer.unknown_words("imagea imageb imagec of refcocoplus") == [
        "imageb",
        "imagec",
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_shares(mixed_root: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three epochs, four images each (three sets with one, one and two), half of refcocog."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    shares = [("refcoco", "unc", 0.25), ("refcoco+", "unc", 0.25), ("refcocog", "umd", 0.5)]
    sources = [DataSource(*share) for share in shares]

    def epochs() -> list[list[str]]:
        data = make(mixed_root, sources, expressions_per_image=1, num_workers=workers)
        loader = data.train_dataloader()
        return [[t for batch in loader for t in batch.expressions] for _ in range(3)]

    found = epochs()
    for epoch in found:
        assert Counter(text.rpartition(" ")[2] for text in epoch) == {
            "refcoco": 1,
            "refcocoplus": 1,
            "refcocog": 2,
        }
    order = [[text.rpartition(" ")[2] for text in epoch] for epoch in found]
    again = [[text.rpartition(" ")[2] for text in epoch] for epoch in epochs()]
    assert order == again
    assert len({tuple(names) for names in order}) > 1


def test_a_set_that_is_only_evaluated(mixed_root: Path) -> None:
    sources: list[DataSource | str] = ["refcoco:unc", DataSource("refcocog", "umd", 0.0)]
    data = make(mixed_root, sources, protected_datasets=[])
    batches = list(data.train_dataloader())
    assert images_of(batches) == {1, 2}
    assert len(ids(batches)) == 12
    assert data.val_groups == [["refcoco/val"], ["refcocog/val"]]


def test_nothing_to_train_on(mixed_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(mixed_root, tmp_path / "root"))
    write_set(root, "refcocog", "umd", {4: "val"})
    message = r"refcocog \(umd\) has no split 'train' to train on; .*refcocog/SPLIT.*the share 0"
    with pytest.raises(DataError, match=message):
        make(root).setup("fit")
    named = make(root, train_splits=["refcoco/train", "refcoco+/train"])
    assert images_of(list(named.train_dataloader())) == {1, 3}
    write_set(root, "refcocog", "umd", {4: "train"})
    with pytest.raises(DataError, match=r"Nothing to train on is left: refcocog \(umd\): 1 of 1"):
        make(root, val_splits=["refcoco/val"]).setup("fit")


def test_skipped_records_are_announced_once(
    own_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refs, instances = annotations()
    del refs[0]["sentences"]
    del refs[5]["category_id"]
    write_annotations(own_root, refs, instances)
    data = make(own_root, "fake", on_bad_record="skip")
    for stage in ("fit", "test"):
        data.setup(stage)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fake (unc): 2 bad records are left out; the first: ")
    assert "ref_id 0: the key 'sentences' is missing" in lines[0]


def test_the_built_in_set_beside_others(
    mixed_root: Path, shapes_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refseg.data.shapes import ShapesOptions

    data = make(
        mixed_root,
        ["refcoco:unc", "shapes:shapes"],
        shapes=ShapesOptions(train_images=12, evaluation_images=4),
        protected_datasets=[],
    )
    data.prepare_data()
    assert data.val_groups[0] == ["refcoco/val"]
    assert ["shapes/val"] in data.val_groups
    assert len({path for b in data.train_dataloader() for path in b.image_paths}) == 3 + 12


def test_every_set_needs_a_folder() -> None:
    with pytest.raises(ConfigError, match=r"'refcoco\+' needs a folder: give it with --data\.root"):
        make(None, ["shapes", "refcoco+"])
