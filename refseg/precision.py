"""What is computed in float32 whatever the precision of a run.

Matrix products and convolutions take float16 and bfloat16 well: their sums are float32. What is
kept from step to step, divided, or put into a logarithm does not: bfloat16 has 8 significant bits,
to which 1.001 - 1 is 0, and float16 ends at 65504, which 256² exceeds.
"""

from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from refseg.errors import ConfigError


def full_precision(values: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """The values in float32, or in float64 where they are; without a copy if they are already.

    Example:
        >>> full_precision(torch.ones(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values if values.dtype == torch.float64 else values.float()


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """No autocast in what follows.

    A network is exported without it, and what other programs read need not tell of it.

    Args:
        device: of what is computed.
    """
    if torch.compiler.is_exporting():
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def in_full_precision(
    layer: nn.Conv2d | nn.ConvTranspose2d, maps: Float[Tensor, " n channels height width"]
) -> Float[Tensor, " n _ _ _"]:
    """What a layer makes of maps in float32 (float64, if its weights are), autocast or not.

    For small layers next to what must be exact: coordinates, logits.

    Args:
        layer: with weights of any type.
        maps: of any type.
    """
    weights = {name: full_precision(weight) for name, weight in layer.named_parameters()}
    with without_autocast(maps.device):
        exact = maps.to(weights["weight"].dtype)
        if layer.weight.dtype == exact.dtype:
            return layer(exact)
        return torch.func.functional_call(layer, weights, exact)


def check_weights(network: nn.Module) -> None:
    """Make sure that weights of float16 are numbers: conversion makes infinity of large ones.

    Args:
        network: in the precision in which it computes.

    Raises:
        ConfigError: a weight or a statistic is not.
    """
    for name, weight in chain(network.named_parameters(), network.named_buffers()):
        if weight.dtype == torch.float16 and not weight.isfinite().all():
            raise ConfigError(
                f"Expected weights that float16 can hold, up to 65504, got larger ones in {name}; "
                "use --trainer.precision bf16-true, 16-mixed or 32-true."
            )


def check_optimizer(optimizer: Optimizer) -> None:
    """Make sure that what an optimizer adds to a divisor is more than 0 in the weights' type.

    Adam's 1e-8 is 0 in float16, and the first weight without a gradient becomes 0 / 0.

    Args:
        optimizer: of weights in the precision in which they are trained.

    Raises:
        ConfigError: it is not.
    """
    for group in optimizer.param_groups:
        epsilon = group.get("eps")
        if not isinstance(epsilon, float) or not epsilon:
            continue
        for dtype in {weight.dtype for weight in group["params"]}:
            if not torch.tensor(epsilon, dtype=dtype):
                raise ConfigError(
                    f"Expected an eps of {type(optimizer).__name__} that is more than 0 in "
                    f"{str(dtype).removeprefix('torch.')}, the type of the weights, got {epsilon}; "
                    "train with --trainer.precision 16-mixed or bf16-true, which need no other "
                    "option, or give --model.optimizer.eps 1e-4."
                )
