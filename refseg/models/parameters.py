"""What parameters start as, which are trained, and which of them decay."""

import math
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from refseg.errors import ConfigError


def parameter_groups(network: nn.Module, decayed: Sequence[str] | None) -> list[dict[str, Any]]:
    """The trained parameters as an optimiser takes them, those without weight decay apart.

    The weight decay of torch's `Adam` and `SGD` adds `weight_decay * w` to the gradient. This is
    the gradient of `weight_decay * sum(w ** 2) / 2`, which the papers add to their loss. (`AdamW`
    shrinks weights beside the gradient instead, which is something else.) So with Adam, here as
    there, it is divided by the size of the gradients like the rest, and weights whose gradients are
    large hardly feel it.

    Args:
        network: what is trained.
        decayed: names of parameters, with `*`; None: all of them decay.

    Raises:
        ConfigError: a name is of no parameter that is trained.

    Example:
        >>> groups = parameter_groups(nn.Linear(2, 1), ["*weight"])
        >>> [(len(group["params"]), group.get("weight_decay")) for group in groups]
        [(1, None), (1, 0.0)]
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if decayed is None:
        return [{"params": [*trained.values()]}]
    for pattern in decayed:
        if not any(fnmatchcase(name, pattern) for name in trained):
            raise ConfigError(
                f"'{pattern}' of `decayed` is the name of no parameter that is trained; there are "
                f"{', '.join(trained)}."
            )
    chosen = {name for name in trained if any(fnmatchcase(name, p) for p in decayed)}
    return [
        {"params": [p for name, p in trained.items() if name in chosen]},
        {"params": [p for name, p in trained.items() if name not in chosen], "weight_decay": 0.0},
    ]


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


def start_normal(layers: Iterable[nn.Module], deviation: float) -> None:
    """Start linear layers and convolutions normal around 0, their biases at 0.

    Args:
        layers: others among them, without parameters, are left alone.
        deviation: standard deviation of the weights.
    """
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight, std=deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
