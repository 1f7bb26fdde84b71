"""How far a training or an evaluation is, where no bar can be drawn."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from refseg.progress import FIRST_SECONDS, SECONDS, Pace, duration, progress_text


class ProgressLines(Callback):
    """Prints a line soon after the start, and from then on one a minute.

    Of a training it has the epoch, the step, the mean loss since the line before, the learning
    rate, the speed, and the time that is left, validations included; of an evaluation how many
    batches are done. Nothing of it waits for the GPU but the lines themselves.

    Args:
        first: seconds until the first line.
        every: seconds from one to the next.
        on_stderr: print on stderr, where stdout is for figures.
    """

    def __init__(
        self, first: float = FIRST_SECONDS, every: float = SECONDS, on_stderr: bool = False
    ) -> None:
        self.on_stderr = on_stderr
        self._pace_options = (first, every)
        self._pace: Pace | None = None
        self._loss: Tensor | float = 0.0  # the sum since the last line
        self._losses = 0
        self._began = self._evaluation_began = 0.0
        self._first_step = 0
        self._evaluated = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to measure the time."""
        self._pace = Pace(*self._pace_options)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where the training begins, which may go on with another one."""
        self._began, self._first_step = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
    ) -> None:
        """Print the line of a training, when it is time."""
        if not trainer.is_global_zero:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):  # Lightning has divided it by the number of batches of a step
            self._loss = self._loss + loss.detach().float() * trainer.accumulate_grad_batches
            self._losses += 1
        if trainer.global_step > self._first_step and self._is_due():
            self._print(self._training_text(trainer))
            self._loss, self._losses = 0.0, 0

    def _training_text(self, trainer: Trainer) -> str:
        step, total = trainer.global_step, trainer.estimated_stepping_batches
        last = trainer.max_epochs
        epoch = f"Epoch {trainer.current_epoch + 1:,}"
        epoch += f" of {last:,}" if last is not None and last > 0 else ""
        done = f", step {step:,}" + (f" of {total:,.0f}" if total < float("inf") else "")
        told = []
        if self._losses:
            told.append(f"loss {float(self._loss) / self._losses:.4g}")
        rate = learning_rate(trainer)
        if rate is not None:
            told.append(f"learning rate {rate:.3g}")
        seconds = (time.monotonic() - self._began) / (step - self._first_step)
        told.append(f"{seconds:.1f} s/step" if seconds > 1 else f"{1 / seconds:.1f} steps/s")
        left = _seconds_left(trainer, seconds * (total - step))
        told += [] if left == float("inf") else [f"{duration(left)} left"]
        return f"{epoch}{done}: {', '.join(told)}"

    def _start_evaluation(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._evaluation_began, self._evaluated = time.monotonic(), 0

    def _count(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print the line of an evaluation, when it is time."""
        self._evaluated += 1
        if trainer.is_global_zero and self._is_due():
            seconds = time.monotonic() - self._evaluation_began
            done = progress_text(self._evaluated, _batches(trainer), seconds)
            self._print(f"{_work(trainer)}, batch {done}")

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr if self.on_stderr else sys.stdout, flush=True)

    def _is_due(self) -> bool:
        return self._pace is not None and self._pace.is_due()

    on_validation_start = on_test_start = on_predict_start = _start_evaluation
    on_validation_batch_end = on_test_batch_end = on_predict_batch_end = _count


def learning_rate(trainer: Trainer) -> float | None:
    """The highest rate of all parameters, of the next step; None where nothing is trained."""
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    return max((float(group["lr"]) for group in groups), default=None)


def _seconds_left(trainer: Trainer, seconds: float) -> float:
    """What the steps that are left will take, or the time that the run has."""
    timers = [
        c
        for c in trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
        if isinstance(c, Timer)
    ]
    limits = [limit for timer in timers if (limit := timer.time_remaining()) is not None]
    return min([seconds, *(max(0.0, limit) for limit in limits)])


def _work(trainer: Trainer) -> str:
    if trainer.sanity_checking:
        return "Check before training"
    if trainer.testing:
        return "Test"
    if trainer.predicting:
        return "Prediction"
    if trainer.state.fn == TrainerFn.FITTING:
        return f"Validation after step {trainer.global_step:,}"
    return "Validation"


def _batches(trainer: Trainer) -> int | None:
    """Of all data loaders of an evaluation; None where nobody knows."""
    if trainer.sanity_checking:
        numbers: Sequence[float] = trainer.num_sanity_val_batches
    elif trainer.testing:
        numbers = trainer.num_test_batches
    elif trainer.predicting:
        numbers = trainer.num_predict_batches
    else:
        numbers = trainer.num_val_batches
    total = sum(numbers)
    return None if total == float("inf") else int(total)


def says_progress(trainer: Trainer) -> bool:
    """Whether this process tells how far a trainer is, by a bar or by lines.

    Args:
        trainer: with its callbacks.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
    has_lines = any(isinstance(callback, ProgressLines) for callback in callbacks)
    return trainer.is_global_zero and (has_lines or trainer.progress_bar_callback is not None)
