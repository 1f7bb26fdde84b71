"""A training of one layer, which notes what it sees, for tests of going on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader, Sampler

BATCHES = 4


class Order(Sampler[int]):
    """Tells the epoch in the items: 203 is the fourth of the third epoch."""

    epoch = start = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        """Of an epoch."""
        return BATCHES

    def __iter__(self) -> Iterator[int]:
        """What is left of the epoch."""
        start, self.start = self.start, 0
        return iter([100 * self.epoch + item for item in range(start, BATCHES)])


class Items(torch.utils.data.Dataset[float]):
    """Each is its number."""

    def __getitem__(self, item: int) -> float:
        """The number."""
        return float(item)


class ToyData(LightningDataModule):
    """Goes on in an epoch as `ReferringDataModule` does."""

    start = 0

    def train_dataloader(self) -> DataLoader[float]:
        order = Order()
        order.start, self.start = self.start % BATCHES, 0
        return DataLoader(Items(), sampler=order, batch_size=1, generator=torch.Generator())

    def val_dataloader(self) -> DataLoader[float]:
        return DataLoader([0.0, 1.0, 2.0], batch_size=1, generator=torch.Generator())

    def state_dict(self) -> dict[str, Any]:
        assert self.trainer is not None
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed
        return {"where_stopped": {"batches": done}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.start = state_dict["where_stopped"]["batches"]


class Toy(LightningModule):
    """Notes (what, items, step, step of the loggers); half of its weights rest in each step."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.ones(16))
        self.dropout = torch.nn.Dropout(0.5)
        self.rate = rate
        self.seen: list[tuple[Any, ...]] = []
        self._validated = 0

    def training_step(self, batch: torch.Tensor, batch_index: int) -> torch.Tensor:
        logged = self.trainer.fit_loop.epoch_loop._batches_that_stepped
        self.seen.append(("train", int(batch), self.global_step, logged))
        seen = (self.dropout(self.weights) * batch.float() / 100).sum()
        return seen + self.weights.square().sum()

    def validation_step(self, batch: torch.Tensor, batch_index: int) -> None:
        self._validated += 1

    def on_validation_epoch_start(self) -> None:
        self._validated = 0

    def on_validation_epoch_end(self) -> None:
        self.seen.append(("validate", self._validated, self.global_step))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def fit(
    folder: Path, *callbacks: Callback, checkpoint: Path | None = None, **options: object
) -> Toy:
    """Train a toy for two epochs, or as the options say."""
    torch.manual_seed(0)
    module = Toy()
    chosen: dict[str, Any] = {
        "max_epochs": 2,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
        "callbacks": list(callbacks),
        "enable_checkpointing": bool(callbacks),
        **options,
    }
    trainer = Trainer(**chosen)
    trainer.fit(module, datamodule=ToyData(), ckpt_path=checkpoint, weights_only=True)
    return module
