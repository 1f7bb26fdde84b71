"""What a network of the transformers library gives, found out without memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.backbones.convnext import ConvNextWalk, Dinov3ConvNextWalk
from refseg.models.backbones.swin import Swinv2Walk, SwinWalk
from refseg.models.backbones.vision_transformer import (
    Dinov3Walk,
    Siglip2Walk,
    SiglipWalk,
    TowerWalk,
    VisionTransformerWalk,
)
from refseg.models.backbones.walk import Walk
from refseg.models.weights.huggingface import (
    PreTrainedConfig,
    check_architecture,
    explained,
    import_transformers,
    load_config,
)
from refseg.types import Maps

WALKS: dict[str, type[Walk]] = {
    "swin": SwinWalk,
    "swinv2": Swinv2Walk,
    "convnext": ConvNextWalk,
    "convnextv2": ConvNextWalk,
    "dinov3_convnext": Dinov3ConvNextWalk,
    "dinov2": VisionTransformerWalk,
    "dinov2_with_registers": VisionTransformerWalk,
    "dinov3_vit": Dinov3Walk,
    "clip_vision_model": TowerWalk,
    "metaclip_2_vision_model": TowerWalk,
    "siglip_vision_model": SiglipWalk,
    "siglip2_vision_model": Siglip2Walk,
}
"""How the networks are computed that a fusion can speak to, by their `model_type`."""

# Image towers, which `AutoBackbone` does not know, and their classes.
_TOWERS = {
    "clip_vision_model": "CLIPVisionModel",
    "metaclip_2_vision_model": "MetaClip2VisionModel",
    "siglip_vision_model": "SiglipVisionModel",
    "siglip2_vision_model": "Siglip2VisionModel",
}


class Level(NamedTuple):
    """A map that a network can give.

    Args:
        stride: pixels per cell.
        number: of the stage that ends with it, from 0, and -1 for the stem; of the layer, from 1,
            if all of the network's layers have the same stride.
        name: of the stage or the layer in the library.
    """

    stride: int
    number: int
    name: str


class Network(NamedTuple):
    """A class of the transformers library and the maps that it can give.

    Args:
        kind: of the network.
        levels: from fine to coarse, or from the first to the last layer.
        is_uniform: all of its layers have the same stride.
        is_tower: it is the image tower of a model of images and texts.
    """

    kind: type[Any]
    levels: tuple[Level, ...]
    is_uniform: bool
    is_tower: bool


def image_config(name: str, architecture: Mapping[str, Any] | None) -> PreTrainedConfig:
    """The configuration of a backbone, or of the image tower of a model of images and texts.

    Args:
        name: on the Hugging Face hub, or a folder.
        architecture: a checkpoint's copy, in place of the files behind `name`.

    Raises:
        ConfigError: there is no such model, no network to get it, or the copy is none.
    """
    kind = None if architecture is None else architecture.get("model_type")
    if architecture is not None and kind in _TOWERS:
        check_architecture(architecture)
        tower = getattr(import_transformers(), _TOWERS[kind])
        return tower.config_class(**architecture)  # AutoConfig does not know all of them
    config = load_config(name, architecture)
    return getattr(config, "vision_config", None) or config


def known_network(config: PreTrainedConfig, name: str) -> Network:
    """The network that a configuration is of.

    Args:
        config: of a model of the transformers library; the names of its stages are put into it.
        name: of the model, for messages.

    Raises:
        ConfigError: it gives no maps.
    """
    transformers = import_transformers()
    if config.model_type in _TOWERS:
        layers = range(1, config.num_hidden_layers + 1)
        levels = (Level(config.patch_size, layer, f"layer {layer}") for layer in layers)
        return Network(getattr(transformers, _TOWERS[config.model_type]), (*levels,), True, True)
    if getattr(config, "stage_names", None) is None:
        raise ConfigError(
            f"'{name}' ({config.model_type}) gives no feature maps; choose one that transformers "
            "has as a backbone (Swin, DINOv2, ConvNeXt, ResNet, ...), or a model of images and "
            "texts: CLIP, SigLIP, SigLIP 2, MetaCLIP 2."
        )
    config.out_features = list(config.stage_names)
    with explained(name), torch.device("meta"), torch.no_grad():
        network = transformers.AutoBackbone.from_config(config).eval()
        maps = network(probe(config)).feature_maps
    side = probe(config).shape[-1]
    strides = [side // features.shape[-1] for features in maps]
    is_uniform = len(set(strides)) == 1 and len(strides) > 2  # the stem and several layers
    if is_uniform:
        named = [*zip(strides, config.stage_names, strict=True)][1:]
        levels = (Level(stride, layer, name) for layer, (stride, name) in enumerate(named, 1))
    else:  # the last stage of each stride
        last = {strides[place]: place for place in range(len(strides))}
        levels = (Level(s, place - 1, config.stage_names[place]) for s, place in last.items())
    return Network(type(network), (*levels,), is_uniform, False)


def unused_parameters(
    make: Callable[[], nn.Module], compute: Callable[[Any, Tensor], Maps], pixels: Tensor
) -> list[str]:
    """Parameters that the maps do not depend on (mask tokens, norms of other heads).

    Distributed training waits for the gradient of everything that is trained.

    Args:
        make: makes a network; called where tensors have no memory.
        compute: makes the maps of the network and normalised pixels.
        pixels: without memory.
    """
    with torch.device("meta"), torch.enable_grad():
        network = make().eval()
        maps = compute(network, pixels)
        names, parameters = zip(*network.named_parameters(), strict=True)
        total = torch.stack([features.sum() for features in maps]).sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


def choose_levels(
    network: Network,
    name: str,
    stride: int | None,
    layers: Sequence[int] | None,
    every_stage: bool,
    is_merged: bool,
) -> list[Level]:
    """The maps that are taken.

    Args:
        network: which gives maps.
        name: of the model, for messages.
        stride: pixels per cell of the finest map; none: of the coarsest or, if every stage is
            taken, of the first.
        layers: of a uniform network; none: the last, or those at the end of each quarter.
        every_stage: take each of them.
        is_merged: take each of them for a pyramid.

    Raises:
        ConfigError: the network has no such stride or layer.
    """
    levels = network.levels
    strides = sorted({level.stride for level in levels})
    if stride is not None and stride not in strides:
        possible = ", ".join(map(str, strides))
        raise ConfigError(f"{name} has no stride {stride}; choose one of {possible}.")
    if layers is not None and not network.is_uniform:
        raise ConfigError(
            f"The stages of {name} have the strides {', '.join(map(str, strides))}; choose among "
            "them by stride, and leave out layers, which are of vision transformers."
        )
    if not network.is_uniform:
        of_stages = [level.stride for level in levels if level.number >= 0]
        finest = (min if every_stage else max)(of_stages) if stride is None else stride
        chosen = [level for level in levels if level.stride >= finest]
        return chosen if every_stage or is_merged else chosen[:1]
    if layers is None:
        return _quarters(levels) if every_stage else [levels[-1]]
    if not layers or not all(1 <= layer <= len(levels) for layer in layers):
        raise ConfigError(
            f"Expected layers between 1 and {len(levels)}, those of {name}, got {[*layers]}."
        )
    chosen = [levels[layer - 1] for layer in sorted({*layers})]
    return chosen if every_stage or is_merged else chosen[-1:]


def _quarters(levels: Sequence[Level]) -> list[Level]:
    """The levels at the end of each quarter of a network's layers; fewer where there are fewer."""
    ends = {-(-len(levels) * quarter // 4) for quarter in (1, 2, 3, 4)}
    return [levels[end - 1] for end in sorted(ends)]


def probe(config: PreTrainedConfig) -> Tensor:
    """An image without memory that every stride divides; patches may be of 14 or 16 pixels."""
    patch = getattr(config, "patch_size", 1)
    side = 64 if not isinstance(patch, int) or 64 % patch == 0 else 4 * patch
    return torch.empty(1, 3, side, side, device="meta")
