"""The text towers of models of images and texts, which transformers' `AutoModel` does not know."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from refseg.errors import ConfigError
from refseg.models.weights.huggingface import (
    PreTrainedConfig,
    check_architecture,
    explained,
    import_transformers,
    load_config,
    load_pretrained,
    where,
)


class Tower(NamedTuple):
    """Where transformers has the text tower of a family of models.

    Args:
        text: the class of the tower alone.
        projected: a class with the tower as `text_model` and the layer `text_projection` after it,
            which takes the vector of a sentence to where images are compared with it; none: the
            tower has that layer itself, as `head`.
        is_whole: that class is the model of images and texts; what is saved of it for a task has
            names of weights that the tower's own class does not know.
        is_filled: trained on sentences that are filled up to all of its positions, with padding
            that is read like words.
    """

    text: str
    projected: str | None = None
    is_whole: bool = False
    is_filled: bool = False


TOWERS = {
    "clip_text_model": Tower("CLIPTextModel", "CLIPTextModelWithProjection"),
    "clipseg_text_model": Tower("CLIPSegTextModel", "CLIPSegModel", is_whole=True),
    "metaclip_2_text_model": Tower("MetaClip2TextModel", "MetaClip2TextModelWithProjection"),
    "owlv2_text_model": Tower("Owlv2TextModel", "Owlv2Model", is_whole=True),
    "siglip2_text_model": Tower("Siglip2TextModel", is_filled=True),
    "siglip_text_model": Tower("SiglipTextModel", is_filled=True),
}
"""By the kind of the text tower's configuration."""


def text_config(name: str, architecture: Mapping[str, Any] | None) -> PreTrainedConfig:
    """The configuration of a text model, or of the text tower of a model of images and texts.

    Of the whole model it keeps the width of the projection; of the tokenizer, the id that a tower
    which reads padding is filled with.

    Args:
        name: on the Hugging Face hub, or a folder.
        architecture: a checkpoint's copy, in place of the files behind `name`.

    Raises:
        ConfigError: there is no such model, no network to get it, or the copy is none.
    """
    if architecture is not None and architecture.get("model_type") in TOWERS:
        check_architecture(architecture)
        rest = {key: value for key, value in architecture.items() if key != "model_type"}
        kind = getattr(import_transformers(), TOWERS[architecture["model_type"]].text)
        return kind.config_class(**rest)
    whole = load_config(name, architecture)
    config = getattr(whole, "text_config", None) or whole
    tower = TOWERS.get(config.model_type)
    if tower is not None and tower.projected and config is not whole:
        config.projection_dim = whole.projection_dim
    if tower is not None and tower.is_filled and architecture is None:
        config.pad_token_id = _padding_of_tokenizer(name, config)
    return config


def load_tower(
    name: str, config: PreTrainedConfig, *, pretrained: bool, projected: bool
) -> tuple[nn.Module, nn.Linear | None]:
    """A text tower, and the projection of sentences after it.

    Args:
        name: on the Hugging Face hub, or a folder.
        config: of the tower, one of `TOWERS`.
        pretrained: load the weights, else make both of random ones.
        projected: whether the projection is needed.

    Returns:
        The tower, and the layer to where images are compared with sentences: none, if it is not
        needed or part of the tower.

    Raises:
        ConfigError: the weights cannot be loaded, or there is no projection.
    """
    tower, projection = TOWERS[config.model_type], None
    if projected and tower.projected is not None:
        width = getattr(config, "projection_dim", None)
        if width is None:
            raise ConfigError(
                f"'{name}' is a text tower without the projection of sentences; name the whole "
                "model, or use sentence: pooler."
            )
        projection = nn.Linear(config.hidden_size, width, bias=False)
        nn.init.normal_(projection.weight, std=config.hidden_size**-0.5)
    if not pretrained:
        with explained(name):
            return _unwrapped(getattr(import_transformers(), tower.text)(config)), projection
    kind, loaded = tower.text, config
    if tower.projected is not None and (projected or tower.is_whole):
        whole = load_config(name, None)
        if not tower.is_whole or hasattr(whole, "text_config"):
            kind, loaded = tower.projected, whole if tower.is_whole else config
    kind_of_network = getattr(import_transformers(), kind)
    network = load_pretrained(kind_of_network, name, loaded, is_part=True)
    if projection is not None:
        with explained(name), torch.no_grad():
            projection.weight.copy_(network.text_projection.weight)
    return _unwrapped(network), projection


def _unwrapped(network: Any) -> nn.Module:  # noqa: ANN401 - the transformers library has no types
    """The tower itself, in whatever model it is found."""
    while hasattr(network, "text_model"):
        network = network.text_model
    return network


def _padding_of_tokenizer(name: str, config: PreTrainedConfig) -> int | None:
    """The id of padding; SigLIP 2's configuration has that of another tokenizer."""
    try:
        tokenizer = import_transformers().AutoTokenizer.from_pretrained(**where(name))
        found, size = tokenizer.pad_token_id, len(tokenizer)
    except (ImportError, OSError, ValueError, LookupError, TypeError):  # it comes without one
        return config.pad_token_id
    is_its_own = size > config.vocab_size // 2  # without files, the library makes an empty one
    return found if is_its_own and found is not None else config.pad_token_id
