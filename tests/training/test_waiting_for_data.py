"""A training that waits for its data, and is told how many workers would help."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Trainer

import refseg.training.waiting_for_data
from refseg.data.resuming import ResumableLoader
from refseg.training.waiting_for_data import FIRST_BATCHES, WaitingForData, advice

from .toy import Toy, ToyData

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*many workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]

BATCHES = 30


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that goes on where someone says that he is at work."""
    clock = SimpleNamespace(seconds=0.0)
    fake = SimpleNamespace(monotonic=lambda: clock.seconds)
    for module in ("refseg.data.resuming", "refseg.training.waiting_for_data"):
        monkeypatch.setattr(f"{module}.time", fake)
    monkeypatch.setattr(refseg.training.waiting_for_data, "cores", lambda: 8)
    return clock


class Slow(torch.utils.data.Dataset[float]):
    """Each item takes some seconds to read."""

    def __init__(self, now: SimpleNamespace, seconds: float) -> None:
        self.now, self.seconds = now, seconds

    def __len__(self) -> int:
        """Of an epoch."""
        return BATCHES

    def __getitem__(self, item: int) -> float:
        """The number, later."""
        self.now.seconds += self.seconds
        return float(item)


class SlowData(ToyData):
    """Trains on slow items."""

    def __init__(self, items: Slow) -> None:
        super().__init__()
        self.items = items

    def train_dataloader(self) -> ResumableLoader:
        return ResumableLoader(self.items, batch_size=1)  # type: ignore[arg-type]  # no samples


class Tired(Toy):
    """Each step takes a second, and a validation an hour."""

    def __init__(self, now: SimpleNamespace) -> None:
        super().__init__()
        self.now = now

    def training_step(self, batch: torch.Tensor, batch_index: int) -> torch.Tensor:
        self.now.seconds += 1
        return super().training_step(batch, batch_index)

    def on_validation_epoch_end(self) -> None:
        self.now.seconds += 3600


def train(folder: Path, now: SimpleNamespace, loading: float, callback: WaitingForData) -> None:
    trainer = Trainer(
        max_epochs=2,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        accelerator="cpu",
        default_root_dir=folder,
    )
    trainer.fit(Tired(now), datamodule=SlowData(Slow(now, loading)))


def test_workers_are_advised_once(
    tmp_path: Path, now: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = WaitingForData()
    train(tmp_path, now, 3.0, callback)
    # A batch that is loaded in three seconds, and a step of one: three workers keep up.
    assert capsys.readouterr().out.splitlines() == [
        "The loader is the bottleneck: training waits for its data 75 % of the time. Raise "
        "data.num_workers from 0 to 3 (--data.num_workers 3)."
    ]
    assert 60 <= callback.measured < 64, "it looks no longer than it must"


def test_nothing_is_said_where_little_is_waited(
    tmp_path: Path, now: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = WaitingForData(seconds=10.0)
    train(tmp_path, now, 0.25, callback)
    assert capsys.readouterr().out == ""
    assert callback.waited == pytest.approx(callback.measured / 5, rel=0.1)
    # But for the first batches, and of an epoch the first one; hours of validation do not count.
    assert callback.measured == pytest.approx(1.25 * (2 * BATCHES - FIRST_BATCHES - 1), abs=1)


def test_nothing_is_said_of_a_short_training(
    tmp_path: Path, now: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, now, 0.5, WaitingForData(seconds=100.0))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("share", "workers", "available", "expected"),
    [
        (0.75, 0, 8, "from 0 to 3 "),
        (0.4, 0, 8, "from 0 to 1 "),
        (0.75, 2, 8, "from 2 to 8 "),
        (0.75, 2, 6, "from 2 to 6 "),
        (0.3, 2, 8, "from 2 to 3 "),
        (0.3, 8, 8, r"Its workers \(8\) are as many as this machine has cores \(8\)"),
    ],
)
def test_as_many_workers_as_keep_up(
    share: float, workers: int, available: int, expected: str
) -> None:
    assert re.search(expected, advice(share, workers, available))
