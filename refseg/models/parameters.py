"""What parameters start as, which are trained, and which of them decay."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from refseg.errors import ConfigError

FACTOR = "learning_rate_factor"  # of a group: its rate as a multiple of the optimiser's


def parameter_groups(
    network: nn.Module,
    decayed: Sequence[str] | None,
    learning_rate_factors: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """The trained parameters as an optimiser takes them, apart by weight decay and learning rate.

    A group has a `learning_rate_factor` where it is not 1; `scale_learning_rates` applies it once
    the optimiser is made, which knows the rate.

    The weight decay of torch's `Adam` and `SGD` adds `weight_decay * w` to the gradient. This is
    the gradient of `weight_decay * sum(w ** 2) / 2`, which the papers add to their loss. (`AdamW`
    shrinks weights beside the gradient instead, which is something else.) So with Adam, here as
    there, it is divided by the size of the gradients like the rest, and weights whose gradients are
    large hardly feel it.

    Args:
        network: what is trained.
        decayed: names of parameters, with `*`; None: all of them decay.
        learning_rate_factors: by name, with `*`; of several that fit, the first counts. The others
            have the rate itself.

    Raises:
        ConfigError: a name is of no parameter that is trained, or a factor is negative.

    Example:
        >>> groups = parameter_groups(nn.Linear(2, 1), ["*weight"])
        >>> [(len(group["params"]), group.get("weight_decay")) for group in groups]
        [(1, None), (1, 0.0)]
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    factors = learning_rate_factors or {}
    _check_patterns(decayed or (), "decayed", trained)
    _check_patterns(factors, "learning_rate_factors", trained)
    negative = {pattern: factor for pattern, factor in factors.items() if factor < 0}
    if negative:
        raise ConfigError(f"Expected learning_rate_factors of at least 0, got {negative}.")
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    if decayed is not None:
        groups = {(True, 1.0): [], (False, 1.0): []}
    for name, parameter in trained.items():
        decays = decayed is None or any(fnmatchcase(name, pattern) for pattern in decayed)
        fitting = (factor for pattern, factor in factors.items() if fnmatchcase(name, pattern))
        groups.setdefault((decays, next(fitting, 1.0)), []).append(parameter)
    return [
        {
            "params": parameters,
            **({} if decays else {"weight_decay": 0.0}),
            **({} if factor == 1 else {FACTOR: factor}),
        }
        for (decays, factor), parameters in groups.items()
    ]


def scale_learning_rates(optimizer: torch.optim.Optimizer) -> None:
    """Give each group of `parameter_groups` its rate, before a schedule is made of it."""
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * group.get(FACTOR, 1.0)


def _check_patterns(patterns: Iterable[str], option: str, names: Iterable[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                f"'{pattern}' of `{option}` is the name of no parameter that is trained; there are "
                f"{', '.join(names)}."
            )


@torch.no_grad()
def start_xavier(kernels: Sequence[Tensor], biases: Iterable[Tensor | None] = ()) -> None:
    """Start kernels as one kernel over all of their inputs would start by Glorot's rule.

    Uniform within the square root of 6 / (inputs + outputs), which TensorFlow calls Xavier. A
    convolution over concatenated inputs has a kernel for each of them here, and its bound is that
    of the whole.

    Args:
        kernels: outputs first, of as many outputs and as large a window each.
        biases: which start at 0.

    References:
        Glorot, Bengio, *Understanding the difficulty of training deep feedforward neural networks*,
        AISTATS 2010, https://proceedings.mlr.press/v9/glorot10a.html, equation 16.
    """
    window = math.prod(kernels[0].shape[2:])
    inputs = sum(kernel.shape[1] for kernel in kernels)
    limit = (6 / (window * (inputs + kernels[0].shape[0]))) ** 0.5
    for kernel in kernels:
        nn.init.uniform_(kernel, -limit, limit)
    for bias in biases:
        if bias is not None:
            nn.init.zeros_(bias)


def start_normal(layers: Iterable[nn.Module], std: float) -> None:
    """Start linear layers and convolutions normal around 0, their biases at 0.

    Args:
        layers: others among them, without parameters, are left alone.
        std: standard deviation of the weights.
    """
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def start_xavier_each(layers: Iterable[nn.Module]) -> None:
    """Start the weights of linear layers by Glorot's rule, as transformers do; biases stay.

    Args:
        layers: others among them, without parameters, are left alone.
    """
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
