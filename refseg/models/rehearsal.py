"""Making a network without memory, to see whether weights are its own before it is made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode

from refseg.errors import CheckpointError, RefsegError

_SPARE_BYTES = 2**30  # of what is made and thrown away: VGG-16's classifier has half of it
_SPARE_PIECES = 5_000  # as many tensors and layers are made before one sees that it is too many
_SHOWN = 3


def rehearse(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], source: object) -> None:
    """Make sure that a network can be made, and has these weights and no others.

    The network is made on torch's device `meta`, where tensors have sizes and no memory. As soon as
    it has more of anything than its weights can fill, it ends: a width or a number of layers of
    10⁹ takes neither the memory nor the time.

    Args:
        make: makes the network.
        weights: by its names.
        source: of both, for the message.

    Raises:
        CheckpointError: it cannot be made, or the weights do not fit.
    """
    try:
        with _bounded(weights), _NoRandomNumbers(), torch.device("meta"):
            expected = make().state_dict()
    except RefsegError as error:
        raise CheckpointError(f"The model in {source} cannot be made: {error}") from error
    except Exception as error:  # the arguments of a constructor come from a file of unknown origin
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(
            f"The model in {source} cannot be made ({reason}); it was written by another version, "
            "or by hand."
        ) from error
    faults = {
        "Missing keys": [name for name in expected if name not in weights],
        "Unexpected keys": [name for name in weights if name not in expected],
        "Other sizes": [
            f"{name} ({tuple(weights[name].shape)} instead of {tuple(tensor.shape)})"
            for name, tensor in expected.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
    }
    found = [f"{fault}: {_some(names)}" for fault, names in faults.items() if names]
    if found:
        raise CheckpointError(
            f"The weights in {source} do not fit its own model: {'; '.join(found)}."
        )


class _NoRandomNumbers(TorchFunctionMode):
    """Leaves out to fill with random numbers what has no memory.

    Torch (2.14) would import its compiler for it, which takes longer than all else that opening a
    small checkpoint does.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Give back the tensor that is to be filled, or call the function."""
        options = options or {}
        if getattr(function, "__name__", "") in {"normal_", "uniform_"}:
            tensor = arguments[0] if arguments else options.get("tensor")
            if isinstance(tensor, Tensor) and tensor.is_meta:
                return tensor
        return function(*arguments, **options)


@contextmanager
def _bounded(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """End in an error when what is made becomes larger than these weights can be."""
    most_bytes = 4 * sum(map(_bytes, weights.values())) + _SPARE_BYTES
    most_pieces = 12 * len(weights) + _SPARE_PIECES
    total_bytes = total_pieces = 0

    def count_piece() -> None:
        nonlocal total_pieces
        total_pieces += 1
        if total_pieces > most_pieces:
            raise CheckpointError(f"it has more layers than its {len(weights):,} weights")

    def count_tensor(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal total_bytes
        count_piece()
        total_bytes += 0 if tensor is None else _bytes(tensor)
        if total_bytes > most_bytes:
            raise CheckpointError(f"{type(module).__name__}.{name} is larger than all its weights")

    def count_module(module: nn.Module, name: str, submodule: nn.Module | None) -> None:
        count_piece()

    hooks = (
        register_module_parameter_registration_hook(count_tensor),
        register_module_buffer_registration_hook(count_tensor),
        register_module_module_registration_hook(count_module),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _some(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
