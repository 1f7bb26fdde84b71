"""How long a run has been trained, whenever that was."""

import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class TrainingClock(Callback):
    """Measures the time of a training, with that of the training that it goes on with.

    It is part of every checkpoint: after a stop, what was done before the last saved state counts,
    and what was lost does not. Waiting to be started again does not count either.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """Of training, its validations included, until now or until its end."""
        return self._before + (0.0 if self._began is None else time.monotonic() - self._began)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to measure."""
        self._began = time.monotonic()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop: what follows is evaluation."""
        self._before, self._began = self.seconds, None

    def state_dict(self) -> dict[str, Any]:
        """The time until now."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the time of a checkpoint, if it is one."""
        seconds = state_dict.get("seconds")
        if isinstance(seconds, float) and math.isfinite(seconds) and seconds >= 0:
            self._before = seconds
