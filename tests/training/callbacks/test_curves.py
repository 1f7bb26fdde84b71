"""The curve of a training, as the sweep reads it."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from refseg.sweeps.curves import read_curve
from refseg.training.callbacks import ValidationCurve


def validate(folder: Path, step: int, iou: float, **changes: object) -> None:
    trainer = Mock(spec=Trainer)
    trainer.state = SimpleNamespace(fn=changes.pop("fn", TrainerFn.FITTING))
    trainer.configure_mock(
        **{"sanity_checking": False, "is_global_zero": True, "global_step": step, **changes},
        default_root_dir=str(folder),
        callback_metrics={"val/overall_iou": torch.tensor(iou), "lr": torch.tensor(0.1)},
    )
    ValidationCurve().on_validation_end(trainer, Mock(spec=LightningModule))


def test_each_validation_of_a_training_is_a_value(tmp_path: Path) -> None:
    validate(tmp_path, 0, 0.125, sanity_checking=True)
    validate(tmp_path, 10, 0.25)
    validate(tmp_path, 20, float("nan"))
    validate(tmp_path, 30, 0.5)
    validate(tmp_path, 30, 0.75, fn=TrainerFn.TESTING)
    validate(tmp_path, 30, 0.75, is_global_zero=False)
    assert read_curve(tmp_path, "val/overall_iou") == [0.25, 0.5]
    assert read_curve(tmp_path, "val/mean_iou") == []


def test_a_training_that_goes_on_replaces_what_it_does_again(tmp_path: Path) -> None:
    for step, iou in ((10, 0.25), (20, 0.5), (30, 0.75)):
        validate(tmp_path, step, iou)
    validate(tmp_path, 20, 0.625)  # from a checkpoint of step 15
    assert read_curve(tmp_path, "val/overall_iou") == [0.25, 0.625]
