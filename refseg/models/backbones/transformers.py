"""Backbones from the transformers library: Swin, DINOv2, ConvNeXt, ResNet and others."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Normalization, NormalizationName, Stage
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.swin import swin_stages, swin_stem
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    explained,
    import_transformers,
    load_config,
    load_pretrained,
    plain_config,
)
from refseg.models.weights.provenance import of_hub
from refseg.types import Maps

# Entries of a configuration that say where it came from, not what is computed.
_NAMES = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class TransformersBackbone(TrunkBackbone):
    """Any network that `transformers.AutoBackbone` knows, by name or from a folder.

    With `every_stage` a Swin can be spoken to between its stages. All other networks are computed
    as a whole.

    Images of any size are padded with the mean colour to whole cells, and the cells beyond the
    image are cut off. Pixels are normalised as the model's own image processor says, else by the
    statistics of ImageNet.

    Args:
        name: on the Hugging Face hub, or a folder that `save_pretrained` wrote.
        stride: pixels per cell of the output, one of those that the network's stages have; none:
            that of its last stage.
        frozen: leave the network as it is; train what comes after it only.
        pyramid_dim: channels of a trained pyramid that merges the stages of `stride` and coarser;
            none: the last stage of that stride, as it is.
        every_stage: give the map of each stage from `stride` on, as it is; without a stride, of all
            stages.
        normalization: how the weights want their pixels; none: as the image processor says.
        pretrained: load the weights; else only the architecture, with random weights.
        drop_path: probability with which a sample skips a layer of the last block in training, less
            in earlier blocks; null: as the model's configuration says.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model or stride, or no network to get it; or it drops no
            paths.
    """

    def __init__(
        self,
        name: str,
        stride: int | None = None,
        frozen: bool = True,
        pyramid_dim: int | None = None,
        every_stage: bool = False,
        normalization: NormalizationName | None = None,
        pretrained: bool = True,
        drop_path: float | None = None,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.config = config = load_config(name, architecture and architecture["config"])
        if drop_path is not None:
            _set_drop_path(config, drop_path, name)
        kind, stages = _stages(config, name)
        if every_stage and pyramid_dim:
            raise ConfigError(
                "Expected either every_stage or pyramid_dim, which merges the stages; got both."
            )
        self.every_stage, self.is_opened = every_stage, False
        self.stride = (min if every_stage else max)(stages) if stride is None else stride
        if self.stride not in stages:
            possible = ", ".join(map(str, stages))
            raise ConfigError(f"{name} has no stride {stride}; choose one of {possible}.")
        takes_more = bool(pyramid_dim) or every_stage
        chosen = [s for s in stages if s == self.stride or (takes_more and s > self.stride)]
        config.out_features = [stages[s] for s in chosen]
        self.whole = max(chosen)  # pixels that an image is padded to a multiple of
        if pretrained and architecture is None:
            trunk = load_pretrained(kind, name, config)
            self.origin = of_hub(name, getattr(config, "_commit_hash", None))
        else:
            trunk = kind(config)
        self.hold(trunk, frozen)
        for unused in _unused_parameters(kind, config):
            trunk.get_parameter(unused).requires_grad_(False)
        self.pyramid = None if pyramid_dim is None else FeaturePyramid(trunk.channels, pyramid_dim)
        self.dims, self.strides = (pyramid_dim or trunk.channels[-1],), (self.stride,)
        if every_stage:
            self.dims, self.strides = tuple(trunk.channels), tuple(chosen)
            self.taps = tuple([*stages].index(stride) for stride in chosen)
        self.normalization = (
            Normalization.from_statistics(*_statistics(name, architecture))
            if normalization is None
            else Normalization(normalization)
        )

    @property
    def stages(self) -> Sequence[Stage]:
        """Those of a Swin whose every stage is asked for; none else."""
        return swin_stages(self.trunk) if self.is_walked else ()

    @property
    def is_walked(self) -> bool:
        """Whether it is computed stage by stage."""
        return self.every_stage and self.config.model_type == "swin"

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """Embed the patches of a Swin."""
        return swin_stem(self.trunk, self.normalization(images))

    def open_stages(self) -> None:
        """Leave the normalisation of the stages' maps to the fusion that speaks between them."""
        self.is_opened = True
        self.trunk.get_submodule("hidden_states_norms").requires_grad_(False)

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute the last map of the chosen stride or, for several, of each stride."""
        if self.is_walked:
            return super().maps(images, until)
        height, width = images.shape[-2:]
        with self.trunk_gradients():
            pixels = self.normalization(images)
            pixels = functional.pad(pixels, (0, -width % self.whole, 0, -height % self.whole))
            return tuple(self.trunk(pixels).feature_maps)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Merge the maps, where there is a pyramid, and cut off the cells beyond the image.

        The maps of stages are normalised by the network's own weights, unless a fusion has spoken.
        """
        height, width = size
        if self.is_walked and not self.is_opened:
            norms = self.trunk.get_submodule("hidden_states_norms").children()
            maps = tuple(
                norm(each.movedim(1, -1)).movedim(-1, 1)
                for each, norm in zip(maps, norms, strict=True)
            )
        elif not self.every_stage:
            maps = (maps[-1] if self.pyramid is None else self.pyramid(maps),)
        return tuple(
            each[..., : -(-height // stride), : -(-width // stride)]
            for each, stride in zip(maps, self.strides, strict=True)
        )

    def trunk_settings(self) -> dict[str, Any]:
        """The architecture, where it is tapped, and how its images are padded."""
        architecture = {
            key: value for key, value in plain_config(self.config).items() if key not in _NAMES
        }
        return {"architecture": architecture, "stride": self.stride, "whole": self.whole}

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture and the normalisation in place of the files behind `name`."""
        architecture = {
            "config": plain_config(self.config),
            "mean": self.normalization.mean.flatten().tolist(),
            "std": self.normalization.std.flatten().tolist(),
        }
        return {"architecture": architecture}


def _stages(config: PreTrainedConfig, name: str) -> tuple[type[Any], dict[int, str]]:
    """The class of the network, and its last stage at each stride, from fine to coarse."""
    if getattr(config, "stage_names", None) is None:
        raise ConfigError(
            f"'{name}' ({config.model_type}) gives no feature maps; choose one that transformers "
            "has as a backbone: Swin, DINOv2, ConvNeXt, ResNet, ..."
        )
    config.out_features = list(config.stage_names)
    with explained(name), torch.device("meta"), torch.no_grad():
        network = import_transformers().AutoBackbone.from_config(config).eval()
        maps = network(_probe(config)).feature_maps
    side = _probe(config).shape[-1]
    strides = [side // features.shape[-1] for features in maps]
    return type(network), dict(zip(strides, config.stage_names, strict=True))


def _set_drop_path(config: PreTrainedConfig, probability: float, name: str) -> None:
    """Have the layers of a network skipped at random while it is trained."""
    if not hasattr(config, "drop_path_rate"):
        raise ConfigError(
            f"'{name}' ({config.model_type}) drops no paths; leave drop_path out, or choose a "
            "Swin, ConvNeXt or DINOv2."
        )
    if not 0 <= probability < 1:
        raise ConfigError(f"Expected drop_path of at least 0 and less than 1, got {probability}.")
    config.drop_path_rate = probability


def _unused_parameters(kind: type[Any], config: PreTrainedConfig) -> list[str]:
    """Parameters that the chosen stages do not depend on (mask tokens, norms of other heads).

    Distributed training waits for the gradient of everything that is trained.
    """
    with torch.device("meta"), torch.enable_grad():
        network = kind(config).eval()
        maps = network(_probe(config)).feature_maps
        names, parameters = zip(*network.named_parameters(), strict=True)
        total = torch.stack([features.sum() for features in maps]).sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


def _probe(config: PreTrainedConfig) -> Tensor:
    """An image without memory that every stride divides; patches may be of 14 or 16 pixels."""
    patch = getattr(config, "patch_size", 1)
    side = 64 if not isinstance(patch, int) or 64 % patch == 0 else 4 * patch
    return torch.empty(1, 3, side, side, device="meta")


def _statistics(name: str, architecture: dict[str, Any] | None) -> tuple[list[float], list[float]]:
    """Mean and standard deviation that the model's image processor uses."""
    if architecture is not None:
        return architecture["mean"], architecture["std"]
    processing = import_transformers().ImageProcessingMixin
    try:
        found, _ = processing.get_image_processor_dict(name)
    except (OSError, ValueError):  # the model comes without a processor
        found = {}
    if not found.get("do_normalize", True):
        return [0.0] * 3, [1.0] * 3
    imagenet = Normalization("imagenet")
    mean = found.get("image_mean") or imagenet.mean.flatten().tolist()
    std = found.get("image_std") or imagenet.std.flatten().tolist()
    return mean, std
