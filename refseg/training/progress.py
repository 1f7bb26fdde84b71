"""Where a training is, at the points that it can go on from exactly."""

from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

_BATCHES = "epoch_loop.batch_progress"
_VALIDATION = "epoch_loop.val_loop.batch_progress"
_LOOP = "epoch_loop.state_dict"


@dataclass(frozen=True, eq=False)
class Point:
    """A point that a training can go on from as if it had not been stopped.

    Args:
        step: optimizer steps that are done.
        batches: how many batches of the epoch are done.
        loops: the numbers of Lightning's loops, by their names in a checkpoint.
        random: state of torch's generators.
    """

    step: int
    batches: int
    loops: dict[str, Any]
    random: dict[str, Tensor]


class TrainingProgress:
    """Notes the latest point that a training can go on from.

    Lightning (2.6) stores the numbers of its loops as they are when it is asked to. From many
    places it does not go on rightly: from within a validation, or just before it, it leaves the
    validation out; between two optimizer steps of accumulated gradients it forgets what was
    accumulated; in a batch that failed it counts a step too many for the loggers. So what is stored
    here is the last of the points from which it does: the end of an optimizer step, the beginning
    and the end of a validation, the end of an epoch. Weights change between them in optimizer steps
    only (and running means of batch normalization with each batch).

    Args:
        trainer: which is about to train.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.point: Point | None = None
        """None until a step was made."""
        names = [n for n in trainer.fit_loop.state_dict() if not n.endswith("state_dict")]
        self._parts = {name: attrgetter(name)(trainer.fit_loop) for name in names}
        self._step = trainer.global_step

    def note_batch(self) -> bool:
        """After a batch; returns whether it ended in an optimizer step."""
        if self.trainer.global_step == self._step:  # gradients are being accumulated
            return False
        self._step = self.trainer.global_step
        self._note(self._loops())
        loop = self.trainer.fit_loop
        assert loop._data_fetcher is not None
        if loop.epoch_loop._should_check_val_fx(loop._data_fetcher):
            self.note_validation_start()
        return True

    def note_validation_start(self) -> None:
        """Before the first batch of a validation: going on means to validate, all of it."""
        if self.point is None or not self.is_current:
            return
        loops = self._loops()
        for progress in (loops[_BATCHES]["total"], loops[_BATCHES]["current"]):
            progress["completed"] = progress["processed"]
        validated = loops[_VALIDATION]
        before = validated["total"]["completed"]
        for name, done in (("total", before), ("current", 0)):
            validated[name] |= dict.fromkeys(("ready", "started"), done + 1)
            validated[name] |= dict.fromkeys(("processed", "completed"), done)
        validated["is_last_batch"] = False
        # The random numbers are those of before: drawing the order of validation has used some.
        self.point = Point(self.point.step, self.point.batches, loops, self.point.random)

    def note_validation_end(self) -> None:
        """After validation, with what it has changed in other callbacks."""
        if self.is_current:
            self._note(self._loops())

    def note_epoch_end(self) -> None:
        """After an epoch and all that follows from it.

        Where the training is limited by steps, Lightning does not count epochs alike before and
        after, and the end of the last batch is the better point.
        """
        if self.is_current and self.trainer.max_steps == -1:
            self._note(self._loops())

    @property
    def is_current(self) -> bool:
        """Whether no batch was begun since the latest point."""
        if self.point is None:
            return False
        done = self._parts[_BATCHES].total.processed  # of all epochs
        return bool(self.point.loops[_BATCHES]["total"]["processed"] == done)

    def put_into(self, checkpoint: dict[str, Any]) -> None:
        """Let a checkpoint be one of the latest point.

        Args:
            checkpoint: of this trainer, whose weights are those of that point.
        """
        if self.point is None:
            return
        loops = checkpoint["loops"]["fit_loop"]
        loops |= self.point.loops
        for data in checkpoint.values():
            state = data.get("where_stopped") if isinstance(data, dict) else None
            if state is not None:
                state["batches"] = self.point.batches
        for state in loops["state_dict"].get("combined_loader", []):
            if "batches" in state:
                state["batches"] = self.point.batches

    @property
    def _batches(self) -> int:
        return int(self._parts[_BATCHES].current.processed)

    def _note(self, loops: dict[str, Any]) -> None:
        self.point = Point(self.trainer.global_step, self._batches, loops, random_state())

    def _loops(self) -> dict[str, Any]:
        stepped = self.trainer.fit_loop.epoch_loop._batches_that_stepped
        numbers = {name: _numbers(part) for name, part in self._parts.items()}
        return {**numbers, _LOOP: {"_batches_that_stepped": stepped}}


def _numbers(progress: object) -> dict[str, Any]:
    """As `dataclasses.asdict`, which takes a hundred times as long, after every batch."""
    return {
        name: _numbers(value) if hasattr(value, "__dict__") else value
        for name, value in vars(progress).items()
    }


def random_state() -> dict[str, Tensor]:
    """The state of torch's generators, on the CPU and on each GPU that is in use."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        device = torch.cuda.current_device()
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, Tensor]) -> None:
    """Go on with the random numbers of a checkpoint, where there are any of this device.

    Args:
        states: as `random_state` gave them; what another torch means nothing by is left alone.
    """
    with suppress(RuntimeError, TypeError, AttributeError):
        if "cpu" in states:
            torch.set_rng_state(states["cpu"].cpu())
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"].cpu())
