"""When a long epoch is validated."""

from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from refseg.errors import ConfigError
from refseg.training.callbacks import RegularValidation


class Validations(Callback):
    """Notes after how many batches of the epoch a validation begins."""

    def __init__(self) -> None:
        self.after: list[int] = []

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.after.append(trainer.fit_loop.epoch_loop.batch_idx + 1)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
@pytest.mark.parametrize(
    ("steps", "options", "expected"),
    [
        (20, {}, [21, 42, 63]),
        (375, {}, [64]),  # a short epoch: at its end
        (8, {"accumulate_grad_batches": 4}, [32, 64]),
        (20, {"val_check_interval": 0.25}, [16, 32, 48, 64]),
        (20, {"val_check_interval": 30}, [30, 60]),
        (20, {"check_val_every_n_epoch": 2}, []),
        (20, {"check_val_every_n_epoch": None, "val_check_interval": 40}, [40]),
    ],
)
def test_an_epoch_is_divided_unless_another_interval_is_named(
    steps: int, options: dict[str, Any], expected: list[int]
) -> None:
    validations = Validations()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1,
        callbacks=[RegularValidation(steps), validations],
        **options,
    )
    trainer.fit(BoringModel())  # of 64 batches
    assert validations.after == expected


def test_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 step between two validations, got 0"):
        RegularValidation(0)
