"""The time of a training, over all of its parts."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from refseg.training import LastCheckpoint
from refseg.training.clock import TrainingClock

from .toy import fit

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*many workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]


class Tired(Callback):
    """Each step takes ten seconds."""

    def __init__(self, now: SimpleNamespace) -> None:
        self.now = now

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        self.now.seconds += 10


def test_the_time_goes_on_with_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(seconds=0.0)
    fake = SimpleNamespace(monotonic=lambda: now.seconds)
    monkeypatch.setattr("refseg.training.clock.time", fake)
    clock = TrainingClock()
    fit(tmp_path, clock, LastCheckpoint(), Tired(now), max_epochs=1)
    assert clock.seconds == 40
    now.seconds += 3600  # nobody trains
    assert clock.seconds == 40
    again = TrainingClock()
    last = tmp_path / "checkpoints" / "last.ckpt"
    fit(tmp_path, again, LastCheckpoint(), Tired(now), max_epochs=3, checkpoint=last)
    assert again.seconds == 120


@pytest.mark.parametrize("value", ["40", None, -1.0, float("nan"), float("inf"), [40.0]])
def test_a_time_that_is_none_is_not_taken(value: object) -> None:
    clock = TrainingClock()
    clock.load_state_dict({"seconds": value})
    assert clock.seconds == 0
