"""The last state of a training, on the disk all along."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from refseg.errors import ConfigError, RefsegError, Stopped, TrainingError
from refseg.files import remove_leftovers
from refseg.training.going_on import ResumeFile
from refseg.training.progress import Point, TrainingProgress, set_random_state
from refseg.training.signals import STOP_SIGNALS

_FIRST_SECONDS = 10.0  # what may be lost in the beginning
_SHARE = 50.0  # saving takes at most the fiftieth part of the time


class LastCheckpoint(Checkpoint):
    """Keeps the last state of a training in `checkpoints/last.ckpt` of the run.

    It is written when time has gone by, after each validation, at the end, and when the training is
    stopped or fails, whatever becomes of the best checkpoint (`ModelCheckpoint` of Lightning 2.6
    writes its `last` only when it writes the best one). So a run that is killed loses minutes, and
    in its first minutes not more than half of what it has done. A training goes on from it exactly
    as if it had not been stopped, in the middle of an epoch and with accumulated gradients too: a
    state is that of the latest optimizer step.

    Weights that are not finite never take the place of those that were.

    Where weights are averaged (Lightning's `WeightAveraging`, `EMAWeightAveraging`), the averages
    take the place of the weights in each validation, and for good at the end of the training. What
    goes on from a state needs both, so it is saved before they do.

    Args:
        minutes: that may be lost when the run is killed. Saving never takes more than the fiftieth
            part of the time, so with weights of many gigabytes it may be more.

    Raises:
        ConfigError: `minutes` is not positive.
    """

    def __init__(self, minutes: float = 5.0) -> None:
        if not minutes > 0:
            raise ConfigError(
                f"Expected LastCheckpoint to save every so many minutes, got {minutes}; give a "
                "positive number, or leave the callback out."
            )
        self.minutes = minutes
        self.resume: ResumeFile | None = None
        """Told of each state that is saved; who runs a trainer of their own needs none."""
        self._progress: TrainingProgress | None = None
        self._saved: Point | None = None
        self._random: dict[str, Tensor] | None = None
        self._is_stepping = False
        self._first_step = 0
        self._began = self._saved_at = 0.0
        self._cost = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Clear away what a killed run has left half-written."""
        if stage == TrainerFn.FITTING and trainer.is_global_zero:
            remove_leftovers(_path(trainer))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; go on with the random numbers of the checkpoint."""
        self._progress = None if trainer.fast_dev_run else TrainingProgress(trainer)  # type: ignore[attr-defined]  # set by its constructor
        self._saved, self._is_stepping = None, False
        self._first_step = trainer.global_step
        self._began = self._saved_at = time.monotonic()
        if self._random is not None:
            set_random_state(self._random)
            self._random = None
        if self._progress is not None:
            STOP_SIGNALS.defer()

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
    ) -> None:
        """Save when it is time; end the training when that was asked for.

        Here, and not at the end of a batch, it is known whether a validation followed it.
        """
        self._save_or_stop(trainer, pl_module)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """From here to the end of the batch, weights and counts do not belong together."""
        self._is_stepping = True

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
    ) -> None:
        """Note the point, if a step was made."""
        if self._progress is not None:
            self._progress.note_batch()
        self._is_stepping = False

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that going on begins with this validation."""
        if self._progress is not None and _is_training(trainer):
            self._progress.note_validation_start()
            self._save_or_stop(trainer, pl_module)
            if _averages(trainer) and not self._is_saved:
                self._save(trainer, pl_module)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """End the training when that was asked for; it will begin with this validation."""
        if self._progress is not None and _is_training(trainer):
            self._stop_if_asked(trainer, pl_module, self._agreed(trainer, STOP_SIGNALS.request)[0])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save, after Lightning's own checkpoints: their best score is part of the state."""
        if self._progress is not None and _is_training(trainer):
            self._progress.note_validation_end()
            if self._progress.is_current:
                self._save(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the point."""
        if self._progress is not None:
            self._progress.note_epoch_end()
            if _averages(trainer) and _is_over(trainer) and not self._is_saved:
                self._save(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the final state."""
        if self._progress is None:
            return
        if not self._is_saved:
            self._save(trainer, pl_module)
        self._stop_if_asked(trainer, pl_module, self._agreed(trainer, STOP_SIGNALS.request)[0])
        STOP_SIGNALS.obey()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save what can be saved, and say how to go on.

        What came to a loss that is not finite would come to it again: it is not saved, and going on
        wants other settings.
        """
        if self._progress is None:
            return
        # Of several processes one may have failed while the others wait for it in a step: saving
        # would wait for them.
        can_save = trainer.state.fn == TrainerFn.FITTING and trainer.world_size == 1
        if STOP_SIGNALS.request is not None and isinstance(exception, KeyboardInterrupt | Stopped):
            can_save = False  # it has been saved for that, or is to stop at once
        is_diverged = isinstance(exception, TrainingError)
        if can_save and not (is_diverged or self._is_stepping or self._is_saved):
            try:
                self._save(trainer, pl_module)
            except RefsegError as error:  # the disk is full: what ended the training is the news
                print(error)
        if trainer.is_global_zero:
            self._say_how_to_go_on(trainer, is_diverged)

    def _say_how_to_go_on(self, trainer: Trainer, is_diverged: bool) -> None:
        stopped = f"Stopped at step {trainer.global_step}"
        if self._saved is not None:
            path, step = _path(trainer), self._saved.step
        elif trainer.ckpt_path is not None:
            path, step = Path(trainer.ckpt_path).absolute(), self._first_step
        else:
            print(f"{stopped}; no state was saved.", flush=True)
            return
        state = f"the {'last good ' if is_diverged else ''}state, after step {step}, is in {path}."
        if self.resume is None:
            print(f"{stopped}; {state}", flush=True)
        elif is_diverged:
            rate = float(trainer.optimizers[0].defaults["lr"])
            options = [f"--model.optimizer.lr={rate / 10:.3g}"]
            remark = (
                f"The same settings lead to step {trainer.global_step} again, which failed; "
                "another learning rate, precision or clipping may not. "
            )
            self.resume.write(path, step, remark, options)
            command = self.resume.command(path, options)
            print(f"{stopped}; {state} {remark}As in: {command}", flush=True)
        else:
            command = self.resume.command(path)
            print(f"{stopped}; {state} To go on: {command}", flush=True)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Whoever saves, it is the latest point that can be gone on from."""
        if self._progress is not None:
            self._progress.put_into(checkpoint)

    def state_dict(self) -> dict[str, Any]:
        """The random numbers that follow."""
        point = None if self._progress is None else self._progress.point
        return {} if point is None else {"random": point.random}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep them until the training starts."""
        self._random = state_dict.get("random")

    def _save_or_stop(self, trainer: Trainer, pl_module: LightningModule) -> None:
        progress = self._progress
        if progress is None or (progress.point is not None and not progress.is_current):
            return  # gradients are being accumulated
        is_due, request = self._agreed(trainer, self._is_due(), STOP_SIGNALS.request)
        self._stop_if_asked(trainer, pl_module, request)
        if is_due and not self._is_saved:
            self._save(trainer, pl_module)

    def _is_due(self) -> bool:
        longest = 60 * self.minutes
        shortest = min(longest, max(_FIRST_SECONDS, self._saved_at - self._began))
        return time.monotonic() - self._saved_at >= max(shortest, _SHARE * self._cost)

    def _stop_if_asked(self, trainer: Trainer, pl_module: LightningModule, request: int) -> None:
        if request and self._progress is not None:
            if not self._is_saved:
                self._save(trainer, pl_module)
            STOP_SIGNALS.answer(request, trainer.is_global_zero)

    @staticmethod
    def _agreed(trainer: Trainer, *numbers: int | None) -> list[int]:
        """The largest of each number over all processes, so that all of them do the same."""
        if trainer.world_size == 1:
            return [int(number or 0) for number in numbers]
        ours = torch.tensor([int(n or 0) for n in numbers], device=trainer.strategy.root_device)
        theirs = trainer.strategy.reduce(ours, reduce_op="max")
        assert isinstance(theirs, Tensor)
        return [int(number) for number in theirs.tolist()]

    @property
    def _is_saved(self) -> bool:
        return self._progress is None or self._progress.point in (None, self._saved)

    def _save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._progress is not None
        begun = time.monotonic()
        if not trainer.strategy.reduce_boolean_decision(_is_finite(pl_module), all=True):
            self._saved_at = begun
            return
        path = _path(trainer)
        trainer.save_checkpoint(path, weights_only=False)
        is_first, self._saved = self._saved is None, self._progress.point
        if trainer.is_global_zero and self.resume is not None:
            self.resume.write(path, trainer.global_step)
            if is_first:
                print(
                    f"The last state is kept in {path}; how to go on from it stands in "
                    f"{self.resume.path}",
                    flush=True,
                )
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - begun


def _path(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir).absolute() / "checkpoints" / "last.ckpt"


def _is_training(trainer: Trainer) -> bool:
    return trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking


def _averages(trainer: Trainer) -> bool:
    return any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks)  # type: ignore[attr-defined]  # set by its constructor


def _is_over(trainer: Trainer) -> bool:
    """Whether the training ends with this epoch."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    is_last = epochs not in {None, -1} and trainer.current_epoch + 1 >= int(epochs or 0)
    return trainer.should_stop or is_last or 0 <= steps <= trainer.global_step


@torch.no_grad()
def _is_finite(module: LightningModule) -> bool:
    sums = [p.float().sum() for p in module.state_dict().values() if p.is_floating_point()]
    return not sums or bool(torch.stack(sums).isfinite().all())
