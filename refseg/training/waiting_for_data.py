"""Says that a training waits for its data, and how many workers would help."""

import math
import os
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from refseg.data.resuming import ResumableLoader

FIRST_BATCHES = 10
"""Batches in which workers start and caches fill, which are not measured."""


class WaitingForData(Callback):
    """Measures how long a training waits for batches, and says once if that is long.

    The time from the end of a batch to the end of the next is that of a step and of the wait
    before it. Validations, checkpoints and the first batch of an epoch are left out. Nothing of it
    waits for the GPU, on which steps are computed while the next batch is asked for: waiting for
    the loader is what remains.

    Args:
        seconds: of training that are looked at before anything is said.
        share: of that time, from which on waiting is told.
    """

    def __init__(self, seconds: float = 60.0, share: float = 0.25) -> None:
        self.seconds, self.share = seconds, share
        self.waited = self.measured = 0.0
        self._batches = 0
        self._last: tuple[float, float] | None = None  # the clock, and what had been waited then
        self._is_told = False

    def _leave_out(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What has passed since the last batch is no step."""
        self._last = None

    on_train_epoch_start = on_validation_end = _leave_out

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning
        batch: Any,  # noqa: ANN401 - as in Lightning
        batch_idx: int,
    ) -> None:
        """Add up, and print the line when it is time."""
        loader = trainer.train_dataloader
        if self._is_told or not isinstance(loader, ResumableLoader):
            return
        now = time.monotonic(), loader.waited
        last, self._last = self._last, now
        self._batches += 1
        if last is None or self._batches <= FIRST_BATCHES:
            return
        self.measured += now[0] - last[0]
        self.waited += now[1] - last[1]
        if self.measured < self.seconds or not trainer.is_global_zero:
            return
        if self.waited >= self.share * self.measured:
            self._is_told = True
            text = advice(self.waited / self.measured, loader.num_workers, cores())
            print(text, flush=True)


def advice(share: float, workers: int, available: int) -> str:
    """What to do where a training waits for its data.

    Workers load side by side, so that twice as many load twice as much, as long as there are cores
    for them: enough are those whose batches come as fast as steps are made.

    Args:
        share: of the time that it waits, below 1.
        workers: that load now; 0: the training itself.
        available: cores.

    Example:
        >>> advice(0.5, 2, 8).partition(". ")[2]
        'Raise data.num_workers from 2 to 4 (--data.num_workers 4).'
    """
    text = (
        "The loader is the bottleneck: training waits for its data "
        f"{100 * share:.0f} % of the time."
    )
    loading = share if workers == 0 else workers  # of a step's time and its wait
    wanted = math.ceil(round(loading / (1 - share), 6))
    better = min(max(wanted, workers + 1), available)
    if better > workers:
        return (
            f"{text} Raise data.num_workers from {workers} to {better} "
            f"(--data.num_workers {better})."
        )
    return (
        f"{text} Its workers ({workers}) are as many as this machine has cores ({available}): only "
        "smaller files, or kept features of a frozen backbone (`refseg data features`), help."
    )


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
