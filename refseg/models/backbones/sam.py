"""The image side of SAM, the promptable segmenter, from the transformers library."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Normalization, Stage
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.huggingface import (
    SAM,
    Architecture,
    PreTrainedConfig,
    import_transformers,
    load_config,
    load_pretrained,
    plain_config,
)
from refseg.models.weights.provenance import of_hub
from refseg.precision import full_precision
from refseg.types import Maps

# Entries of a configuration that say where it came from, not what is computed.
_NAMES = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class SamBackbone(TrunkBackbone):
    """The image encoder of SAM: a vision transformer and the map that SAM's prompts ask.

    It has a map of 256 channels with a stride of 16 pixels, and four stages that end with its
    layers of global attention, between which a fusion may speak. SAM's other parts are not loaded:
    `SamDecoder` has them.

    Pixels are normalised by the statistics of ImageNet, as SAM does. SAM was trained on squares of
    1024 pixels (`data.image_size`); for images of another size its positions are interpolated, and
    one of 512 pixels has a quarter of the cells. Images are padded with the mean colour to whole
    cells, and the cells beyond the image are cut off.

    Args:
        name: on the Hugging Face hub, `facebook/sam-vit-base` say, or a folder that
            `save_pretrained` wrote.
        frozen: leave the encoder as it is.
        for_dense_prompt: give the map twice: the fusion takes one, and lets the other pass by for a
            `SamDecoder` that is prompted with the fused map (its `dense`).
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, or it is not of SAM's kind.

    References:
        Kirillov et al., *Segment Anything*, ICCV 2023, https://arxiv.org/abs/2304.02643, section 3
        and appendix A.
    """

    def __init__(
        self,
        name: str,
        frozen: bool = True,
        for_dense_prompt: bool = False,
        pretrained: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.config = config = _vision_config(name, architecture)
        kind = import_transformers().SamVisionModel
        if pretrained and architecture is None:
            trunk = load_pretrained(kind, name, config, is_part=True)
            self.origin = of_hub(name, getattr(config, "_commit_hash", None))
        else:
            trunk = kind(config)
        self.hold(trunk, frozen)
        self.normalization = Normalization("imagenet")
        self.copies = 2 if for_dense_prompt else 1
        self.dims = (config.output_channels,) * self.copies
        self.strides = (config.patch_size,) * self.copies
        self.taps = (len(self.stages) - 1,)

    @property
    def stages(self) -> Sequence[Stage]:
        """The layers up to each of global attention; the last stage ends with SAM's own neck."""
        encoder: Any = self.trunk.vision_encoder
        starts = [0, *(index + 1 for index in sorted(self.config.global_attn_indexes))]
        starts = [start for start in starts if start < len(encoder.layers)]
        ends = [*starts[1:], len(encoder.layers)]
        return [
            _Stage(encoder.layers[start:end], encoder.neck if end == ends[-1] else None)
            for start, end in zip(starts, ends, strict=True)
        ]

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images _ _ _"]:
        """Embed the patches and tell them where they lie."""
        encoder: Any = self.trunk.vision_encoder
        height, width = images.shape[-2:]
        patch = self.config.patch_size
        pixels = self.normalization(images)
        pixels = functional.pad(pixels, (0, -width % patch, 0, -height % patch))
        embedded = encoder.patch_embed.projection(pixels)
        if encoder.pos_embed is None:
            return embedded
        h, w = embedded.shape[-2:]
        return embedded + _resized(encoder.pos_embed.permute(0, 3, 1, 2), h, w)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Cut off the cells beyond the image."""
        height, width = size
        stride = self.strides[-1]
        seen = maps[-1][..., : -(-height // stride), : -(-width // stride)]
        return (seen,) * self.copies

    def trunk_settings(self) -> dict[str, Any]:
        """The architecture."""
        architecture = {
            key: value for key, value in plain_config(self.config).items() if key not in _NAMES
        }
        return {"architecture": architecture}

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        return {"architecture": plain_config(self.config)}


class _Stage:
    """Layers of SAM's encoder, map -> map.

    Args:
        layers: one after the other.
        neck: what follows them, for the last stage.
    """

    def __init__(self, layers: nn.ModuleList, neck: nn.Module | None) -> None:
        self.layers, self.neck = layers, neck

    def __call__(self, seen: Tensor) -> Tensor:
        cells = seen.permute(0, 2, 3, 1)
        for layer in self.layers:
            cells = layer(cells)
        return cells.permute(0, 3, 1, 2) if self.neck is None else self.neck(cells)


def _vision_config(name: str, architecture: Architecture | None) -> PreTrainedConfig:
    whole = load_config(name, architecture)
    config = getattr(whole, "vision_config", None) or whole
    if config.model_type != SAM:
        raise ConfigError(
            f"Expected a model of SAM's kind, facebook/sam-vit-base say, got '{name}' "
            f"({whole.model_type})."
        )
    return config


def _resized(positions: Float[Tensor, " 1 dim _ _"], h: int, w: int) -> Float[Tensor, " 1 dim h w"]:
    """Learned positions of a grid, interpolated for another one."""
    if positions.shape[-2:] == torch.Size([h, w]):
        return positions
    exact = full_precision(positions)
    resized = functional.interpolate(exact, (h, w), mode="bicubic", align_corners=False)
    return resized.to(positions.dtype)
