"""Models of the transformers library: their configuration, and what goes wrong on the way."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from refseg.errors import ConfigError
from refseg.models.weight_files import loading_errors

if TYPE_CHECKING:
    from transformers import PreTrainedConfig as PreTrainedConfig
else:  # the library is imported where it is used, and not before
    PreTrainedConfig = object


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
    except loading_errors() as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"Cannot load '{name}' with transformers: {reason} Expected the name of a model on "
            "the Hugging Face hub, or a folder that save_pretrained wrote. Without a network, run "
            f"`hf download {name} --local-dir FOLDER` where there is one, and name the folder."
        ) from error
