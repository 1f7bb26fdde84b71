"""Splits, loaders and the state that goes into a checkpoint."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from refseg.data import splits
from refseg.data.datamodule import ReferringDataModule
from refseg.data.shapes import ShapesOptions, prepare_shapes
from refseg.data.tokenizers import WordTokenizer
from refseg.data.transforms import Augmentation
from refseg.errors import ConfigError, DataError
from refseg.types import Batch

from .fake_refer import annotations, write_annotations


def make(root: Path | None, **options: object) -> ReferringDataModule:
    defaults = {"dataset": "fake", "image_size": 16, "batch_size": 2, "num_workers": 0}
    return ReferringDataModule(root=root, **defaults | options)


def ids(batches: list[Batch]) -> list[int]:
    return [number for batch in batches for number in batch.expression_ids]


def test_splits(fake_root: Path) -> None:
    data = make(fake_root)
    data.prepare_data()
    data.setup("fit")
    assert sorted(ids(list(data.train_dataloader()))) == [*range(100, 118), *range(136, 142)]
    assert ids(list(data.val_dataloader())) == list(range(118, 124))
    data.setup("test")
    assert data.split_names == ["val", "testA", "testB"]
    found = [ids(list(loader)) for loader in data.test_dataloader()]
    assert found == [list(range(a, a + 6)) for a in (118, 124, 130)]
    assert len(data.predict_dataloader()) == 3


def test_what_is_cut_off_is_told_once(fake_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make(fake_root, tokenizer=WordTokenizer(max_words=2))
    told = []
    for stage in ("fit", "fit", "validate", "test"):
        data.setup(stage)
        told.append([line for line in capsys.readouterr().err.splitlines() if "cut off" in line])
    assert [len(lines) for lines in told] == [1, 0, 1, 1]
    training = make(fake_root).training[0].references.expressions.to_pylist()
    validation = make(fake_root).mixture.rows(["val"])[0].expressions.to_pylist()
    lengths = [len(re.findall(r"[a-z]+|\d+", text)) for text in [*training, *validation]]
    assert told[0][0].startswith(
        f"The longest sentence of {len(lengths)} has {max(lengths)} words, and the tokenizer "
        f"reads 2: the end of {sum(length > 2 for length in lengths)} sentences is cut off."
    )
    data = make(fake_root)
    data.setup("fit")
    assert "cut off" not in capsys.readouterr().err


def test_chosen_splits(fake_root: Path) -> None:
    data = make(fake_root, val_splits=["testA", "val"], test_splits=["testB"])
    assert data.split_names == ["testB"]
    assert sorted(ids(list(data.val_dataloader()))) == list(range(118, 130))


def test_training_on_a_union_of_splits(fake_root: Path) -> None:
    data = make(fake_root, train_splits=["trainval"], val_splits=["testA"])
    data.setup("fit")
    assert sorted(ids(list(data.train_dataloader()))) == [*range(100, 124), *range(136, 142)]
    assert data.split_names == ["testA", "testB"]


def test_images_are_shuffled_in_training_and_each_is_seen_once(fake_root: Path) -> None:
    data = make(fake_root, expressions_per_image=1)
    torch.manual_seed(0)
    loader = data.train_dataloader()
    epochs = [ids(list(loader)) for _ in range(6)]
    for epoch in epochs:
        assert len({(number - 100) // 6 for number in epoch}) == len(epoch) == 4
    assert len({tuple(epoch) for epoch in epochs}) > 1
    torch.manual_seed(0)
    again = data.train_dataloader()
    assert [ids(list(again)) for _ in range(6)] == epochs


@pytest.mark.parametrize("num_workers", [0, 2])
def test_same_seed_same_batches(fake_root: Path, num_workers: int) -> None:
    data = make(
        fake_root,
        num_workers=num_workers,
        expressions_per_image=2,
        augmentation=Augmentation(shrink=0.8),
    )
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(list(data.train_dataloader()))
    for one, other in zip(*runs, strict=True):
        assert one.expressions == other.expressions
        torch.testing.assert_close(one.images, other.images, rtol=0, atol=0)
        assert one.masks is not None
        assert other.masks is not None
        torch.testing.assert_close(one.masks, other.masks, rtol=0, atol=0)


def test_evaluation_is_not_augmented(fake_root: Path) -> None:
    plain = next(iter(make(fake_root).val_dataloader()))
    augmented = make(fake_root, augmentation=Augmentation(flip=1.0, shrink=0.5))
    other = next(iter(augmented.val_dataloader()))
    np.testing.assert_array_equal(plain.images, other.images)
    assert plain.expressions == other.expressions


def test_vocabulary_is_of_the_training_split_alone(tmp_path: Path, fake_root: Path) -> None:
    (tmp_path / "images").symlink_to(fake_root / "images")
    refs, instances = annotations()
    for ref in refs:
        for sentence in ref["sentences"]:
            sentence["sent"] += f" seen in {ref['split']}"
    write_annotations(tmp_path, refs, instances)
    data = make(tmp_path)
    assert data.vocab_size == data.tokenizer.vocab_size
    assert data.tokenizer.unknown_words("seen in train val testA testB") == [
        "val",
        "testa",
        "testb",
    ]


def test_state_restores_tokenizer_and_transform(fake_root: Path) -> None:
    data = make(fake_root, image_size=24, fill=50)
    state = data.state_dict()
    other = make(fake_root, image_size=16, train_splits=["testA"])
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert next(iter(other.val_dataloader())).images.shape[-1] == 24


def test_vocabulary_from_a_checkpoint(
    fake_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = make(fake_root)
    _ = trained.vocab_size
    trained.tokenizer.build(["one word more"])
    checkpoint = tmp_path / "model.ckpt"
    states = {"state_dict": {}, "hyper_parameters": {}, "ReferringDataModule": trained.state_dict()}
    torch.save(states, checkpoint)
    # A data set without training split: its vocabulary comes from elsewhere.
    data = make(fake_root, train_splits=["train2"], vocabulary_from=checkpoint)
    assert data.vocab_size == 5
    assert data.tokenizer.state_dict() == trained.tokenizer.state_dict()


def test_messages(fake_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"'refcoco' needs a folder: give it with --data\.root"):
        make(None, dataset="refcoco")
    with pytest.raises(ConfigError, match="batch_size of at least 1, got 0"):
        make(fake_root, batch_size=0)
    message = r"Unknown split 'testC' of fake \(unc\); choose one of train, val, testA, testB\."
    with pytest.raises(DataError, match=message):
        make(fake_root, val_splits=["testC"]).setup("fit")
    with pytest.raises(DataError, match=message):
        make(fake_root, test_splits=["testC"]).setup("test")
    with pytest.raises(DataError, match=r"Unknown split 'trian' .*give --data\.vocabulary_from"):
        make(fake_root, train_splits=["trian"]).setup("fit")
    everything = make(fake_root, train_splits=["train", "val", "testA", "testB"])
    with pytest.raises(DataError, match=r"no split besides those of training; name one with"):
        everything.setup("test")


def test_the_built_in_set_needs_no_folder(
    fake_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ShapesOptions(level=1, train_images=3, evaluation_images=2)
    monkeypatch.setenv("REFSEG_CACHE", str(tmp_path))
    data = ReferringDataModule(shapes=options, image_size=16, batch_size=2, num_workers=0)
    assert data.vocab_size > 10
    data.prepare_data()
    data.setup("fit")
    paths = [path for batch in data.train_dataloader() for path in batch.image_paths]
    assert len(set(paths)) == 3
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    assert prepare_shapes(options).is_relative_to(tmp_path)


def test_the_objects_of_a_data_set_are_read_once_for_all_splits(
    fake_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(fake_root)
    first = data.splits.expression_columns(["val"]).rows(data.splits.expression_ids(["val"]))
    monkeypatch.setattr(splits, "read_objects", None)  # would raise if it were called
    again = data.splits.expression_columns(["val"]).rows(data.splits.expression_ids(["val"]))
    assert again.equals(first)
    for split in ("testA", "testB"):
        ids_of_split = data.splits.expression_ids([split])
        rows = data.splits.expression_columns([split]).rows(ids_of_split)
        assert rows["expression_id"].to_pylist() == ids_of_split.tolist()
        assert rows["distractors"].null_count == 0
