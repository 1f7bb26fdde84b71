"""Batches from shards: those of the folder, repeatable, and resumable in the middle of an epoch."""

from pathlib import Path

import pytest
import torch

from refseg.data.datamodule import ReferringDataModule
from refseg.data.resuming import ResumableLoader
from refseg.data.transforms import Augmentation
from refseg.errors import ConfigError
from refseg.types import Batch

from .server import Server

FIELDS = ("images", "tokens", "token_mask", "image_index", "masks")


def make(stream: object = None, **options: object) -> ReferringDataModule:
    defaults = {"image_size": 16, "batch_size": 2, "num_workers": 0}
    if stream is not None:
        defaults["stream"] = str(stream)
    return ReferringDataModule(**defaults | options)


def assert_equal(one: Batch, other: Batch, paths: bool = True) -> None:
    for name in FIELDS:
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.expressions == other.expressions
    assert one.expression_ids == other.expression_ids
    assert one.truths == other.truths
    assert one.geometries == other.geometries
    names = [[Path(path).name for path in batch.image_paths] for batch in (one, other)]
    assert names[0] == names[1]
    assert not paths or one.image_paths == other.image_paths


def resumed(stream: object, state: dict[str, object], epoch: int, **options: object) -> list[Batch]:
    loader = make(stream, **options).train_dataloader()
    assert isinstance(loader, ResumableLoader)
    loader.load_state_dict(state)
    loader.sampler.set_epoch(epoch)
    return list(loader)


RANDOM = {
    "augmentation": Augmentation(shrink=0.8, noise=0.1),
    "expressions_per_image": 2,
    "batch_size": 1,
}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_sees_what_the_folder_has(
    server: Server, shards: Path, fake_root: Path, num_workers: int
) -> None:
    folder = make(root=fake_root, dataset="fake")
    for stream in (shards, server.address):
        data = make(stream, num_workers=num_workers)
        data.prepare_data()
        data.setup("test")
        assert data.split_names == folder.split_names
        assert data.state_dict() == folder.state_dict(), "the vocabulary"
        for ours, theirs in zip(data.test_dataloader(), folder.test_dataloader(), strict=True):
            for one, other in zip(ours, theirs, strict=True):
                assert_equal(one, other, paths=False)
        for name in data.split_names:
            of_stream, of_folder = (one.splits.expression_ids([name]) for one in (data, folder))
            assert of_stream.tolist() == of_folder.tolist()


def test_training_sees_each_expression_once_and_what_the_folder_has(
    shards: Path, fake_root: Path
) -> None:
    folder = make(root=fake_root, dataset="fake", batch_size=1)
    truth = {batch.expression_ids: batch for batch in folder.train_dataloader()}
    batches = list(make(shards, batch_size=1).train_dataloader())
    assert len(batches) == len(truth) == 4
    for batch in batches:
        assert_equal(batch, truth[batch.expression_ids], paths=False)


def test_batches_do_not_depend_on_workers_or_on_what_happened_before(shards: Path) -> None:
    torch.manual_seed(1)
    alone = list(make(shards, **RANDOM).train_dataloader())
    torch.manual_seed(2)
    torch.rand(100)
    together = list(make(shards, num_workers=2, **RANDOM).train_dataloader())
    for one, other in zip(alone, together, strict=True):
        assert_equal(one, other)


def test_the_generator_of_the_model_is_left_alone(shards: Path) -> None:
    data = make(shards, **RANDOM)
    loader = data.train_dataloader()
    item = loader.dataset
    visit = next(iter(loader.sampler))
    before = torch.get_rng_state()
    item[visit]
    assert torch.equal(before, torch.get_rng_state())


def test_epochs_and_seeds_differ(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    for seed in ("0", "1"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        loader = make(shards, **RANDOM).train_dataloader()
        for epoch in range(3):
            loader.sampler.set_epoch(epoch)
            drawn[seed, epoch] = torch.cat([batch.images for batch in loader])
    values = list(drawn.values())
    assert not any(torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])


@pytest.mark.parametrize(("num_workers", "later_workers"), [(0, 0), (2, 2), (0, 2)])
@pytest.mark.parametrize("done", [1, 3])
def test_the_rest_of_an_epoch_is_the_rest(
    shards: Path, num_workers: int, later_workers: int, done: int
) -> None:
    loader = make(shards, num_workers=num_workers, **RANDOM).train_dataloader()
    loader.sampler.set_epoch(1)
    batches = iter(loader)
    for _ in range(done):
        next(batches)
    state = loader.state_dict()
    rest = list(batches)
    assert len(rest) == 4 - done
    again = resumed(shards, state, epoch=1, num_workers=later_workers, **RANDOM)
    for one, other in zip(rest, again, strict=True):
        assert_equal(one, other)


def test_only_the_next_epoch_is_shortened(shards: Path) -> None:
    loader = make(shards, **RANDOM).train_dataloader()
    whole = list(loader)
    assert loader.state_dict()["batches"] == 4
    loader.load_state_dict({**loader.state_dict(), "batches": 3})
    assert [len(list(loader)), len(list(loader))] == [1, 4]
    loader.load_state_dict({**loader.state_dict(), "batches": 4})
    loader.sampler.set_epoch(0)
    for one, other in zip(loader, whole, strict=True):
        assert_equal(one, other)


def test_another_run_does_not_go_on_in_the_middle(shards: Path) -> None:
    state = {**make(shards, **RANDOM).train_dataloader().state_dict(), "batches": 2}
    other = make(shards, **RANDOM | {"batch_size": 2}).train_dataloader()
    with pytest.raises(ConfigError, match="with batch_size 1; now it is 2, and other batches"):
        other.load_state_dict({**state, "batches": 1})
    other.load_state_dict({**state, "batches": 4})  # at the end of an epoch: all is well


def test_messages(shards: Path, fake_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"leave out data\.root and"):
        make(shards, root=fake_root)
    with pytest.raises(ConfigError, match="A stream is a whole data set of its own"):
        make(shards, dataset=["refcoco", "refcoco+"])
