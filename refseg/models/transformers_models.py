"""Models of the transformers library: their configuration, and what goes wrong on the way."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from refseg.errors import ConfigError
from refseg.models.weight_files import loading_errors

if TYPE_CHECKING:
    from transformers import PreTrainedConfig as PreTrainedConfig
else:  # the library is imported where it is used, and not before
    PreTrainedConfig = object

_FOLDER = "a folder that save_pretrained wrote"
# `name` or `owner/name`; anything else is a path.
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_SUFFIXES = {".bin", ".ckpt", ".h5", ".json", ".npz", ".pt", ".pth", ".safetensors"}


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
    if _is_absent(name):
        raise ConfigError(
            f"There is no folder '{name}'; expected {_FOLDER}, or the name of a model on the "
            "Hugging Face hub."
        )
    with explained(name):
        return transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)


def plain_config(config: PreTrainedConfig) -> dict[str, Any]:
    """What `load_config` makes the configuration from again: plain numbers and texts."""
    return json.loads(json.dumps(config.to_diff_dict()))


def load_pretrained(kind: Any, name: str, config: PreTrainedConfig) -> Any:  # noqa: ANN401 - untyped
    """A network with its weights.

    Some tensors may be new (the norms that a backbone adds to its stages); where most are missing,
    the weights are of something else, and transformers would leave the network random.

    Args:
        kind: class of transformers with `from_pretrained`.
        name: on the hub, or a folder.
        config: what of it to make.

    Raises:
        ConfigError: there are no such weights, or they are of another network.
    """
    with explained(name):
        network, found = kind.from_pretrained(
            name, config=config, dtype=torch.float32, output_loading_info=True
        )
    expected, missing = network.state_dict(), sorted(found["missing_keys"])
    if 2 * len(missing) > len(expected):
        raise ConfigError(
            f"The weights of '{name}' do not fit; of {len(expected)} expected tensors "
            f"{len(missing)} are missing: {', '.join(missing[:3])}, ... {_expected(name)}"
        )
    return network


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what goes wrong while transformers loads `name` into one message with the remedy.

    Raises:
        ConfigError: anything of that kind.
    """
    try:
        yield
    except loading_errors() as error:
        reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        if not isinstance(
            error, OSError | ValueError
        ):  # `101` says nothing, `KeyError: 101` little
            reason = f"{type(error).__name__}: {reason}"
        if "ignore_mismatched_sizes" in reason:
            reason = "the weights have other shapes than the configuration says"
        raise ConfigError(
            f"Cannot load '{name}' with transformers: {reason}. {_expected(name)}"
        ) from error


def _is_absent(name: str) -> bool:
    """Whether a name can only be that of a folder, and there is none."""
    path = Path(name).expanduser()
    if name and path.exists():
        return False
    on_hub = _HUB_NAME.fullmatch(name) and path.suffix not in _SUFFIXES
    return not on_hub or ("/" in name and path.parent.is_dir())


def _expected(name: str) -> str:
    """What `name` should be; only what can be on the hub is to be downloaded from there."""
    path = Path(name).expanduser()
    if path.is_dir():
        return f"Expected {_FOLDER}: config.json and model.safetensors of one and the same model."
    if path.is_file():
        return f"Expected {_FOLDER}, not a file; files of weights are for other classes."
    return (
        f"Expected the name of a model on the Hugging Face hub, or {_FOLDER}. Without a network, "
        f"run `hf download {name} --local-dir FOLDER` where there is one, and name the folder."
    )
