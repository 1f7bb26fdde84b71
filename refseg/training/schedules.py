"""Learning-rate schedules that know how long the training is."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from refseg.errors import ConfigError


class Schedule(LRScheduler):
    """A schedule in terms of the share of the training that is done.

    The number of steps is the trainer's business and stands in its part of the config; the module
    hands it over through `total_steps` before the first step. A published schedule that is written
    in steps says so itself (`Polynomial`, `MultiStep`): a training that is stopped early, or goes
    on for longer, then has the published rates in its steps.

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


class MultiStep(Schedule):
    """The full rate, times `gamma` from each milestone on.

    Args:
        optimizer: whose learning rate to set.
        milestones: shares of the training, in (0, 1) and growing: `[0.7]` in CRIS (epoch 35 of 50).
            With `steps` they may be numbers of steps, too: `[110000, 140000]` in ReLA.
        gamma: factor on the learning rate at each milestone; 0.1 in CRIS and in ReLA.
        warmup: share of the training, [0, 1), over which the rate grows linearly from nearly zero.
        steps: length of the schedule whatever that of the training is; 150,000 in ReLA. None: the
            training's.

    Raises:
        ConfigError: the milestones do not grow, or one of them lies outside of the training or
            within its warm-up; `gamma` or `steps` is not positive.

    References:
        Wang et al., *CRIS: CLIP-Driven Referring Image Segmentation*, CVPR 2022,
        https://arxiv.org/abs/2111.15174, section 4.2. Liu et al., *GRES: Generalized Referring
        Expression Segmentation*, CVPR 2023, https://arxiv.org/abs/2306.00968 (ReLA's steps are
        those of its published configuration).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[float],
        gamma: float = 0.1,
        warmup: float = 0.0,
        steps: int | None = None,
    ) -> None:
        if steps is not None and steps < 1:
            raise ConfigError(f"Expected a schedule of at least 1 step, got steps={steps}.")
        if not gamma > 0:
            raise ConfigError(f"Expected gamma of MultiStep above 0, got {gamma}.")
        self.milestones = _shares(milestones, warmup, steps)
        self.gamma, self.fixed_steps = gamma, steps
        super().__init__(optimizer, warmup)

    def decay(self, progress: float) -> float:
        """The factor on the learning rate after `progress` in [0, 1] of the steps past warm-up."""
        done = self.warmup + progress * (1 - self.warmup)
        # A step that is a milestone may fall short of it by rounding.
        return self.gamma ** sum(done >= milestone - 1e-10 for milestone in self.milestones)


def _shares(milestones: Sequence[float], warmup: float, steps: int | None) -> list[float]:
    """Milestones as shares of the training.

    Raises:
        ConfigError: they do not grow, or one of them lies outside.
    """
    given = list(milestones)
    shares = [one / steps if steps is not None and one >= 1 else float(one) for one in given]
    if steps is None and any(one >= 1 for one in given):
        raise ConfigError(
            f"Expected milestones as shares of the training, such as 0.7, got {given}; for "
            "milestones in steps, name the published number of all steps, too (steps: 150000)."
        )
    inside = all(warmup < share < 1 for share in shares)
    if not shares or not inside or any(one >= other for one, other in pairwise(shares)):
        end = "1" if steps is None else f"1 (or in steps, before {steps:,})"
        raise ConfigError(
            f"Expected one or more growing milestones after the warm-up ({warmup:g}) and before "
            f"{end}, got {given}."
        )
    return shares
