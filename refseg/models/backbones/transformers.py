"""Backbones from the transformers library: Swin, DINO, ConvNeXt, ResNet, CLIP's image tower, ..."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import IMAGENET, Normalization, NormalizationName, Stage
from refseg.models.backbones.probing import (
    WALKS,
    choose_levels,
    image_config,
    known_network,
    probe,
    unused_parameters,
)
from refseg.models.backbones.pyramid import FeaturePyramid
from refseg.models.backbones.swin import drop_paths_of_mlps
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.backbones.walk import Walk
from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    import_transformers,
    load_pretrained,
    plain_config,
    where,
)
from refseg.models.weights.provenance import of_hub
from refseg.types import Maps

# Entries of a configuration that say where it came from, not what is computed.
_NAMES = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class TransformersBackbone(TrunkBackbone):
    """Any network that `transformers.AutoBackbone` knows, by name or from a folder.

    Of a model of images and texts (CLIP, SigLIP, SigLIP 2, MetaCLIP 2), the image tower is taken;
    its positions are interpolated to the size of the images.

    With `every_stage` a fusion can speak between the stages of a Swin, a Swin V2 or a ConvNeXt, and
    between groups of layers of DINOv2, DINOv3 and the image towers. All other networks are computed
    as a whole.

    Images of any size are padded with the mean colour to whole cells, and the cells beyond the
    image are cut off. Pixels are normalised as the model's own image processor says, else by the
    statistics of ImageNet.

    Args:
        name: on the Hugging Face hub, or a folder that `save_pretrained` wrote.
        stride: pixels per cell of the output, one of those that the network's stages have; none:
            that of its last stage.
        frozen: leave the network as it is; train what comes after it only.
        pyramid_dim: channels of a trained pyramid that merges the stages of `stride` and coarser,
            or the maps of `layers`; none: the last of them, as it is.
        every_stage: give the map of each stage from `stride` on, as it is; without a stride, of all
            stages. Of a vision transformer: of each of `layers`.
        normalization: how the weights want their pixels; none: as the image processor says.
        pretrained: load the weights; else only the architecture, with random weights.
        drop_path: probability with which a sample skips a layer of the last block in training, less
            in earlier blocks; null: as the model's configuration says.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.
        layers: of a vision transformer, whose layers all have one stride: those whose maps are
            taken, counted from 1. none: the last; with `every_stage`, those at the end of each
            quarter (3, 6, 9 and 12 of 12).

    Raises:
        ConfigError: there is no such model, stride or layer, or no network to get it; or it drops
            no paths.
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
        layers: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.config = config = image_config(name, architecture and architecture["config"])
        if drop_path is not None:
            _set_drop_path(config, drop_path, name)
        network = known_network(config, name)
        if every_stage and pyramid_dim:
            raise ConfigError(
                "Expected either every_stage or pyramid_dim, which merges the stages; got both."
            )
        self.every_stage, self.is_opened = every_stage, False
        chosen = choose_levels(network, name, stride, layers, every_stage, bool(pyramid_dim))
        self.levels = tuple(level.number for level in chosen)
        self.whole = max(level.stride for level in chosen)  # pixels that an image is padded to
        if not network.is_tower:
            config.out_features = [level.name for level in chosen]
        if pretrained and architecture is None:
            trunk = load_pretrained(network.kind, name, config, is_part=network.is_tower)
            self.origin = of_hub(name, getattr(config, "_commit_hash", None))
        else:
            trunk = network.kind(config)
        self.is_walked = network.is_tower or (every_stage and config.model_type in WALKS)
        if self.is_walked:
            self.taps = tuple(range(len(chosen))) if network.is_uniform else self.levels
        if drop_path and config.model_type == "swin":
            drop_paths_of_mlps(trunk)
        self.hold(trunk, frozen)
        made = network.kind
        self.unused = frozenset(
            unused_parameters(lambda: made(config), self._compute, probe(config))
        )
        for parameter in self.unused:
            trunk.get_parameter(parameter).requires_grad_(False)
        dims = [config.hidden_size] * len(chosen) if network.is_tower else list(trunk.channels)
        self.pyramid = None if pyramid_dim is None else FeaturePyramid(dims, pyramid_dim)
        self.stride = chosen[0].stride
        self.dims, self.strides = (pyramid_dim or dims[-1],), (self.stride,)
        if every_stage:
            self.dims, self.strides = tuple(dims), tuple(level.stride for level in chosen)
        self.normalization = (
            Normalization.from_statistics(*image_statistics(name, architecture))
            if normalization is None
            else Normalization(normalization)
        )

    @property
    def stages(self) -> Sequence[Stage]:
        """Those of the network, where a fusion can speak between them; none else."""
        return self._walk(self.trunk).stages if self.is_walked else ()

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """What the first stage is given: embedded patches, of most networks that have stages."""
        walk, pixels = self._walk(self.trunk), self.normalization(images)
        return walk.stem(self._pad(pixels) if walk.pads else pixels)

    def cells(self, state: Float[Tensor, " n dim _ w"]) -> Float[Tensor, " n dim _ w"]:
        """The map in what a stage gives, without the class and register tokens of transformers."""
        return self._walk(self.trunk).cells(state)

    def with_cells(
        self, state: Float[Tensor, " n dim _ w"], cells: Float[Tensor, " n dim h w"]
    ) -> Float[Tensor, " n dim _ w"]:
        """What a stage has given, with other cells."""
        return self._walk(self.trunk).with_cells(state, cells)

    def open_stages(self) -> None:
        """Leave the normalisation of the stages' maps to the fusion that speaks between them."""
        self.is_opened = True
        for norm in self._walk(self.trunk).norms:
            norm.requires_grad_(False)

    def train(self, mode: bool = True) -> "TransformersBackbone":
        """Set the mode of everything but a frozen trunk, and what would change between stages."""
        super().train(mode)
        for module in self._walk(self.trunk).always_in_evaluation if self.is_walked else ():
            module.eval()
        return self

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute the last map of the chosen stride or, for several, of each stride."""
        if self.is_walked:
            return super().maps(images, until)
        with self.trunk_gradients():
            return tuple(self.trunk(self._pad(self.normalization(images))).feature_maps)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Merge the maps, where there is a pyramid, and cut off the cells beyond the image.

        The maps of stages are normalised by the network's own weights, unless a fusion has spoken.
        """
        height, width = size
        if self.is_walked and not self.is_opened:
            maps = self._walk(self.trunk).normalized(maps)
        if not self.every_stage:
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
        return {
            "architecture": architecture,
            "stride": self.stride,
            "levels": [*self.levels],
            "whole": self.whole,
            "normalized": not self.is_walked,
        }

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

    def _walk(self, trunk: nn.Module) -> Walk:
        return WALKS[self.config.model_type](trunk, self.levels)

    def _pad(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        return functional.pad(pixels, (0, -width % self.whole, 0, -height % self.whole))

    def _compute(self, trunk: Any, pixels: Tensor) -> Maps:  # noqa: ANN401 - untyped
        """The maps of a network like the trunk."""
        if not self.is_walked:
            return tuple(trunk(pixels).feature_maps)
        walk = self._walk(trunk)
        state, maps = walk.stem(pixels), []
        for number, stage in enumerate(walk.stages):
            state = stage(state)
            if number in self.taps:
                maps.append(walk.cells(state))
        return walk.normalized(tuple(maps))


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


def image_statistics(
    name: str, architecture: Mapping[str, Any] | None
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation that a model's image processor uses.

    Args:
        name: of the model, on the Hugging Face hub, or a folder.
        architecture: a checkpoint's copy, with `mean` and `std`.
    """
    if architecture is not None:
        return architecture["mean"], architecture["std"]
    processing = import_transformers().ImageProcessingMixin
    try:
        found, _ = processing.get_image_processor_dict(**where(name))
    except (OSError, ValueError):  # the model comes without a processor
        found = {}
    if not found.get("do_normalize", True):
        return [0.0] * 3, [1.0] * 3
    mean, std = IMAGENET
    return list(found.get("image_mean") or mean), list(found.get("image_std") or std)
