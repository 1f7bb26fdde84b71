"""Validation several times in a long epoch, so that a curve can be drawn."""

from lightning.pytorch import Callback, LightningModule, Trainer

from refseg.errors import ConfigError


class RegularValidation(Callback):
    """Divides a long epoch into equal parts of about `steps` steps, and validates after each.

    An epoch that is shorter than that is validated at its end, so that few images are not validated
    more often than before. Where `trainer.val_check_interval` or `trainer.check_val_every_n_epoch`
    is set to anything but 1, they count instead.

    Args:
        steps: of the optimiser between two validations, about. A validation of the built-in set
            costs as much as 50 steps of `rmi.yaml`.

    Raises:
        ConfigError: the number of steps is not positive.
    """

    def __init__(self, steps: int = 375) -> None:
        if steps < 1:
            raise ConfigError(f"Expected at least 1 step between two validations, got {steps}.")
        self.steps = steps

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say after which batches of the epoch to validate."""
        batches, interval = trainer.num_training_batches, trainer.val_check_interval
        is_default = isinstance(interval, float) and interval == 1.0  # the number 1 is one batch
        is_timed = trainer.val_check_batch is None
        if not is_default or is_timed or trainer.check_val_every_n_epoch != 1:
            return
        if isinstance(batches, float) or not batches:  # without an end, or nothing to do
            return
        parts = max(1, round(batches / trainer.accumulate_grad_batches / self.steps))
        trainer.val_check_batch = batches // parts
