"""Networks that others trained: their files, keeping them as they are, the papers' own models."""

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from refseg.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig as PreTrainedConfig

    from refseg.models.segmenter import Segmenter
else:  # the library is imported where it is used, and not before
    PreTrainedConfig = object

Part = TypeVar("Part", bound="Pretrained")


class Pretrained(nn.Module):
    """A part built around a `trunk` that may stay as others trained it.

    A frozen trunk gets no gradients, is computed without a graph, and stays in evaluation mode
    (statistics of batch normalisation, dropout) whatever the mode of the part. What the part adds
    to the trunk, a pyramid for one, is trained all the same.
    """

    trunk: nn.Module
    frozen: bool

    def hold(self, trunk: nn.Module, frozen: bool) -> None:
        """Take the trunk in; its parameters are trained unless it is frozen."""
        self.trunk, self.frozen = trunk, frozen
        self.trunk.requires_grad_(not frozen)
        self.train(self.training)

    def train(self: Part, mode: bool = True) -> Part:
        """Set the mode of everything but a frozen trunk."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def trunk_gradients(self) -> torch.set_grad_enabled:
        """The context to compute the trunk in: without gradients where it is frozen."""
        return torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen)


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
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise ConfigError(f"Reading {path} needs the package safetensors; install it.") from error
    except _loading_errors() as error:
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
    expected = network.state_dict()
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
    network.load_state_dict(weights, strict=False)


def from_original(
    kind: Literal["rmi", "rmi_lstm", "lstm_cnn"], variables: Mapping[str, Any]
) -> "Segmenter":
    """A segmenter that computes what the papers' own code computes from these variables.

    Widths are read off the arrays, R (ResNet) or D (DeepLab) off the names. The names of TensorFlow
    0.12 (`Matrix`, `Bias`) do as well, and what an optimiser left in the checkpoint is ignored.
    Without the variables of the backbone, the segmenter works on given features: res5c for RMI and
    its baseline, fc8 for LSTM-CNN. Of LSTM-CNN, the variables of any of its stages do.

    Args:
        kind: `rmi`, its baseline `rmi_lstm`, or `lstm_cnn` (Hu et al.).
        variables: the original's names and arrays.

    Returns:
        The segmenter in evaluation mode.

    Raises:
        ConfigError: the kind is unknown, or variables are missing, superfluous or misshapen; the
            message names them all.
    """
    from refseg.models.original.building import from_original  # it needs the parts, they need us

    return from_original(kind, variables)


def import_transformers() -> ModuleType:
    """The transformers library, imported where it is used and not before.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "This part needs the package transformers; install it: pip install transformers"
        ) from error
    return transformers


def load_config(name: str, architecture: Mapping[str, Any] | None) -> PreTrainedConfig:
    """The configuration of a transformers model, from a checkpoint's copy or else from its name.

    Raises:
        ConfigError: there is no such model, or no network to get it.
    """
    transformers = import_transformers()
    if architecture is not None:
        return transformers.AutoConfig.for_model(**architecture)
    with explained(name):
        return transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)


def plain_config(config: PreTrainedConfig) -> dict[str, Any]:
    """What `load_config` makes the configuration from again: plain numbers and texts."""
    return json.loads(json.dumps(config.to_diff_dict()))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what goes wrong while transformers loads `name` into one message with the remedy.

    Raises:
        ConfigError: anything of that kind.
    """
    try:
        yield
    except _loading_errors() as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"Cannot load '{name}' with transformers: {reason} Expected the name of a model on "
            "the Hugging Face hub, or a folder that save_pretrained wrote. Without a network, run "
            f"`hf download {name} --local-dir FOLDER` where there is one, and name the folder."
        ) from error


def _loading_errors() -> tuple[type[Exception], ...]:
    """What readers of weights raise for files that are absent, cut off, or something else."""
    errors = (ImportError, OSError, ValueError, RuntimeError, EOFError, LookupError)
    try:
        from safetensors import SafetensorError
    except ImportError:
        return (*errors, pickle.UnpicklingError)
    return (*errors, pickle.UnpicklingError, SafetensorError)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
