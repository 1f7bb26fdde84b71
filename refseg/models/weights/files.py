"""Weights that others trained: reading their files, and filling a network with them."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from refseg.checkpoint.reading import check_file
from refseg.errors import ConfigError


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a `.safetensors` file or one of `torch.save`, executing nothing.

    Raises:
        ConfigError: the file is absent, cannot be read, or holds something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ConfigError(f"Expected a file of weights, found none at {path}; correct `weights`.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        check_file(path, and_older=True)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise ConfigError(f"Reading {path} needs the package safetensors; install it.") from error
    except loading_errors() as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"{path} cannot be read as a file of weights ({reason[0]}); expected a state dict "
            "written by torch.save or safetensors."
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise ConfigError(
            f"Expected a state dict (names and tensors) in {path}, got another value."
        )
    return weights


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Fill a network with weights, all of them and nothing else.

    Args:
        network: what is filled.
        weights: by the network's own names.
        source: the file or the name of the weights, for the message.

    Raises:
        ConfigError: weights are missing, superfluous, or of another shape.
    """
    check_names_and_shapes(network.state_dict(), weights, source)
    network.load_state_dict(weights, strict=False)


def check_names_and_shapes(
    expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: str
) -> None:
    """Make sure that weights are those of a network, all of them and nothing else.

    Args:
        expected: the network's own, which may be on torch's device `meta`; what batch normalisation
            has counted may be missing.
        weights: by the network's names.
        source: the file or the name of the weights, for the message.

    Raises:
        ConfigError: weights are missing, superfluous, or of another shape.
    """
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    shapes = [
        f"{name} (expected {tuple(expected[name].shape)}, got {tuple(weights[name].shape)})"
        for name in expected
        if name in weights and weights[name].shape != expected[name].shape
    ]
    faults = {
        "missing": [name for name in expected if name not in weights and name not in counters],
        "unexpected": [name for name in weights if name not in expected],
        "of another shape": shapes,
    }
    found = [f"{len(names)} {fault}: {_some(names)}" for fault, names in faults.items() if names]
    if found:
        raise ConfigError(
            f"The weights of {source} do not fit; of {len(expected)} expected tensors "
            f"{'; '.join(found)}. Choose the network they were made for."
        )


def loading_errors() -> tuple[type[Exception], ...]:
    """What readers of weights raise for files that are absent, cut off, or something else."""
    errors = (ImportError, OSError, ValueError, RuntimeError, EOFError, LookupError)
    try:
        from safetensors import SafetensorError
    except ImportError:
        return (*errors, pickle.UnpicklingError)
    return (*errors, pickle.UnpicklingError, SafetensorError)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
