"""CLIPSeg of the transformers library, of which backbone and decoder each take a part."""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.weights.huggingface import PreTrainedConfig, load_config

CLIPSEG = "clipseg"
"""The kind of its configuration."""


def load_clipseg_config(name: str, architecture: Mapping[str, Any] | None) -> PreTrainedConfig:
    """The configuration of a whole CLIPSeg.

    Args:
        name: on the Hugging Face hub, or a folder.
        architecture: a checkpoint's copy, in place of the files behind `name`.

    Raises:
        ConfigError: there is no such model, or it is of another kind.
    """
    config = load_config(name, architecture)
    if config.model_type != CLIPSEG:
        raise ConfigError(
            f"Expected a CLIPSeg, CIDAS/clipseg-rd64-refined say, got '{name}' "
            f"({config.model_type})."
        )
    return config


def with_one_layer_of(config: PreTrainedConfig, *sides: str) -> PreTrainedConfig:
    """A copy of the configuration, by which a side that nobody needs has one layer only.

    Args:
        config: of a whole CLIPSeg.
        sides: `text_config`, `vision_config` or both.
    """
    config = deepcopy(config)
    for side in sides:
        getattr(config, side).num_hidden_layers = 1
    return config


def layer_options(layer: nn.Module) -> dict[str, None]:
    """What a layer is told beside its tokens, so that every one attends to every other.

    Older releases of the library want a causal mask, too.
    """
    masks = ("attention_mask", "causal_attention_mask")
    return dict.fromkeys(
        name for name in masks if name in inspect.signature(layer.forward).parameters
    )


def apply_layer(layer: nn.Module, tokens: Tensor, options: Mapping[str, None]) -> Tensor:
    """What a layer makes of tokens; older releases of the library give it in a tuple.

    Args:
        layer: of CLIP or of the decoder.
        tokens: [n tokens dim].
        options: of `layer_options`.
    """
    found = layer(tokens, **options)
    return found[0] if isinstance(found, tuple) else found
