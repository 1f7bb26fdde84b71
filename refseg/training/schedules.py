"""Learning-rate schedules that know how long the training is."""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from refseg.errors import ConfigError


class Schedule(LRScheduler):
    """A schedule in terms of the share of the training that is done.

    The number of steps is the trainer's business and stands in its part of the config; the module
    hands it over through `total_steps` before the first step. A published schedule that is written
    in steps says so itself (`Polynomial`): a training that is stopped early, or goes on for longer,
    then has the published rates in its steps.

    Args:
        optimizer: whose learning rate to set.
        warmup: share of the training, [0, 1), over which the rate grows linearly from nearly zero.
    """

    fixed_steps: int | None = None

    def __init__(self, optimizer: Optimizer, warmup: float = 0.0) -> None:
        self.total_steps: int | None = self.fixed_steps
        self.warmup = warmup
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each group of parameters, for the next step."""
        return [rate * self._factor(self.last_epoch) for rate in self.base_lrs]

    def _factor(self, step: int) -> float:
        progress = min(1.0, step / self.total_steps) if self.total_steps else 0.0
        if progress < self.warmup:
            return max(0.01, progress / self.warmup)
        return self.decay((progress - self.warmup) / (1 - self.warmup))

    def decay(self, progress: float) -> float:
        """The factor on the learning rate after `progress` in [0, 1] of the steps past warm-up."""
        return 1.0


class Cosine(Schedule):
    """Half a cosine from the full rate to `final` times it.

    Args:
        optimizer: whose learning rate to set.
        warmup: share of the training, [0, 1), over which the rate grows linearly from nearly zero.
        final: factor on the learning rate at the end.
    """

    def __init__(self, optimizer: Optimizer, warmup: float = 0.0, final: float = 0.0) -> None:
        self.final = final
        super().__init__(optimizer, warmup)

    def decay(self, progress: float) -> float:
        """The factor on the learning rate after `progress` in [0, 1] of the steps past warm-up."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


class Polynomial(Schedule):
    """`(1 - progress) ** power` of the full rate, down to `final` times it.

    Args:
        optimizer: whose learning rate to set.
        warmup: share of the training, [0, 1), over which the rate grows linearly from nearly zero.
        power: 0.9 in RMI.
        final: factor on the learning rate at the end; 0.04 in RMI (2.5e-4 to 1e-5).
        steps: length of the schedule whatever that of the training is; 750,000 in RMI. None: the
            training's.

    Raises:
        ConfigError: `steps` is not positive.

    References:
        Liu et al., *Recurrent Multimodal Interaction for Referring Image Segmentation*, ICCV 2017,
        https://arxiv.org/abs/1703.07939, section 5.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: float = 0.0,
        power: float = 0.9,
        final: float = 0.0,
        steps: int | None = None,
    ) -> None:
        if steps is not None and steps < 1:
            raise ConfigError(f"Expected a schedule of at least 1 step, got steps={steps}.")
        self.power, self.final, self.fixed_steps = power, final, steps
        super().__init__(optimizer, warmup)

    def decay(self, progress: float) -> float:
        """The factor on the learning rate after `progress` in [0, 1] of the steps past warm-up."""
        return self.final + (1 - self.final) * (1 - progress) ** self.power
