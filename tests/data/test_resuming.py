"""Training from folders: repeatable whatever the workers, and resumable within an epoch."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import SequentialSampler

from refseg.data import DataSource
from refseg.data.datamodule import ReferringDataModule
from refseg.data.resuming import ResumableLoader
from refseg.data.transforms import Augmentation
from refseg.errors import ConfigError
from refseg.types import Batch

from .fake_mixture import write_fake_mixture

SHARES: list[DataSource | str] = [
    DataSource("refcoco", "unc", 0.25),
    DataSource("refcoco+", "unc", 0.25),
    DataSource("refcocog", "umd", 0.5),
]
NO_SHARES: list[DataSource | str] = ["refcoco:unc", "refcoco+:unc", "refcocog:umd"]


def make(root: Path, dataset: list[DataSource | str] | str, **options: object) -> ResumableLoader:
    defaults = {
        "image_size": 16,
        "batch_size": 1,
        "num_workers": 0,
        "augmentation": Augmentation(shrink=0.8, noise=0.1),
        "expressions_per_image": 2,
    }
    loader = ReferringDataModule(root=root, dataset=dataset, **defaults | options)
    found = loader.train_dataloader()
    assert isinstance(found, ResumableLoader)
    return found


def content(batches: list[Batch]) -> list[tuple[object, ...]]:
    return [
        (batch.expression_ids, batch.expressions, batch.image_paths, batch.images.double().sum())
        for batch in batches
    ]


@pytest.mark.parametrize("dataset", ["fake", SHARES, NO_SHARES], ids=["one", "shares", "joined"])
@pytest.mark.parametrize("workers", [0, 2])
def test_the_rest_of_an_epoch_is_the_rest(
    fake_root: Path, tmp_path: Path, dataset: list[DataSource | str] | str, workers: int
) -> None:
    root = fake_root if dataset == "fake" else write_fake_mixture(tmp_path)
    loader = make(root, dataset)
    loader.sampler.set_epoch(2)
    batches = iter(loader)
    begun = [next(batches), next(batches)]
    state = loader.state_dict()
    rest = list(batches)
    assert rest
    again = make(root, dataset, num_workers=workers)
    again.load_state_dict(state)
    again.sampler.set_epoch(2)
    torch.manual_seed(99)  # nothing that happened before counts
    assert content(list(again)) == content(rest)
    again.sampler.set_epoch(2)
    assert content(list(again)) == content([*begun, *rest]), "the next pass is a whole one"


def test_a_data_module_brings_its_state_back(fake_root: Path) -> None:
    """As Lightning uses it: the state is loaded before the loader is made."""
    options = {"dataset": "fake", "image_size": 16, "batch_size": 1, "num_workers": 0}
    data = ReferringDataModule(root=fake_root, **options)
    assert data.state_dict()["where_stopped"] is None
    batches = iter(data.train_dataloader())
    for _ in range(3):
        next(batches)
    state = data.state_dict()
    assert state["where_stopped"]["batches"] == 3
    other = ReferringDataModule(root=fake_root, **options)
    other.load_state_dict(state)
    assert content(list(other.train_dataloader())) == content(list(batches))
    before = {name: value for name, value in state.items() if name != "where_stopped"}
    other.load_state_dict(before)  # of an earlier version
    assert len(list(other.train_dataloader())) == 4


def test_other_data_does_not_go_on_in_the_middle(fake_root: Path, tmp_path: Path) -> None:
    loader = make(fake_root, "fake")
    next(iter(loader))
    state = loader.state_dict()
    root = write_fake_mixture(tmp_path)
    with pytest.raises(ConfigError, match=r"with order 'shuffled'; now it is 'in proportion 0\.25"):
        make(root, SHARES).load_state_dict(state)
    with pytest.raises(ConfigError, match=r"with data '[0-9a-f]{64}'; now it is '[0-9a-f]{64}'"):
        make(root, NO_SHARES[:1]).load_state_dict({**state, "items": 3})


def test_an_order_without_epochs_is_taken_as_the_first(fake_root: Path) -> None:
    """Lightning's `overfit_batches` puts a sampler of plain numbers in place of the order."""
    loader = make(fake_root, "fake")
    ordered = {batch.expression_ids for batch in loader}
    loader = ResumableLoader(
        loader.dataset, sampler=SequentialSampler(loader.dataset), collate_fn=loader.collate_fn
    )
    first, second = list(loader), list(loader)
    assert content(first) == content(second)
    assert {batch.expression_ids for batch in first} == ordered
