"""What checks have in common: how a promise is put, and how all of them are gone through."""

import traceback
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Check = Callable[[Any], None]
"""Takes a part of its own, which it may change; raises an `AssertionError` for a broken promise."""


def require(kept: object, otherwise: str) -> None:
    """See that a promise is kept.

    Args:
        kept: true if it is.
        otherwise: what is the matter if not, and what to do.

    Raises:
        AssertionError: it is not.
    """
    if not kept:
        raise AssertionError(otherwise)


def require_gradient(part: nn.Module) -> None:
    """See that the backward pass has reached each trained parameter.

    Raises:
        AssertionError: it has not; the message names the parameters.
    """
    missed = [
        name
        for name, parameter in part.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    require(
        not missed,
        f"no gradient reaches {', '.join(missed)}; use these weights, or do not train them",
    )


def rounding(values: Tensor) -> float:
    """How far results of float32 may be apart: sums round at the size of their largest terms."""
    return 1e-5 * max(1.0, values.abs().max().item())


def broken(checks: Iterable[Check], part: nn.Module) -> list[str]:
    """The promises that a part breaks, each with what is the matter.

    Args:
        checks: to go through.
        part: which stays as it is: each check has a copy.
    """
    found = []
    for check in checks:
        torch.manual_seed(0)
        try:
            check(deepcopy(part))
        except Exception as error:  # of code that is not ours, and may fail in any way
            reason = " ".join(str(error).split())[:400]
            if not isinstance(error, AssertionError):
                reason = f"{type(error).__name__}: {reason}{_place(error)}"
            found.append(f"{sentence(check)}: {reason}")
    return found


def _place(error: Exception) -> str:
    """Where in the code of a part an error came up; empty where that is not known."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not {"torch", "contracts"} & set(Path(frame.filename).parts)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def sentence(check: Check) -> str:
    """What a check is called: the promise in words."""
    return check.__name__.replace("_", " ")
