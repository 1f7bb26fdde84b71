"""The image side of CLIPSeg: what three layers of CLIP see, each with its class token."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Normalization
from refseg.models.backbones.transformers import image_statistics
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.clipseg import (
    apply_layer,
    layer_options,
    load_clipseg_config,
    with_one_layer_of,
)
from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    import_transformers,
    load_pretrained,
    plain_config,
)
from refseg.models.weights.provenance import of_hub
from refseg.types import Maps

_WHOLE = 4096  # pixels per cell of a map of one cell: no network sees a larger image


class ClipSegBackbone(TrunkBackbone):
    """CLIP as CLIPSeg looks with it: for `ClipSegDecoder`, behind `NoFusion`.

    It gives the states after the layers that the model's configuration names (4, 7 and 10 of 12),
    unnormalised. The decoder attends to the class tokens, too: they follow as maps of a single
    cell, so that there are two maps for each of the layers.

    Positions are interpolated to the size of the images, which are padded with the mean colour to
    whole cells. Layers that nobody looks at are part of the weights, and not computed.

    Args:
        name: on the Hugging Face hub, perhaps with a revision (`owner/name@v1`), or a folder that
            `save_pretrained` wrote.
        frozen: leave CLIP as it is, as CLIPSeg's authors did.
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, or it is no CLIPSeg.

    References:
        Lüddecke and Ecker, *Image Segmentation Using Text and Image Prompts*, CVPR 2022,
        https://arxiv.org/abs/2112.10003, section 3.
    """

    def __init__(
        self,
        name: str,
        frozen: bool = True,
        pretrained: bool = True,
        architecture: Architecture | None = None,
    ) -> None:
        super().__init__()
        self.config = config = load_clipseg_config(name, architecture and architecture["config"])
        _check_levels(config, name)
        if pretrained and architecture is None:
            trunk = ClipImageSide.load(name, config)
            self.origin = of_hub(name, getattr(config, "_commit_hash", None))
        else:
            trunk = ClipImageSide(config)
        self.levels = tuple(config.extract_layers)
        self.hold(trunk, frozen)
        self.unused = frozenset(trunk.unused(max(self.levels) + 1))
        for parameter in self.unused:
            trunk.get_parameter(parameter).requires_grad_(False)
        vision, count = config.vision_config, len(self.levels)
        self.dims = (vision.hidden_size,) * (2 * count)
        self.strides = (vision.patch_size,) * count + (_WHOLE,) * count
        self.normalization = Normalization.from_statistics(*image_statistics(name, architecture))

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """The states of the layers as maps, and then their class tokens."""
        patch = self.strides[0]
        height, width = images.shape[-2:]
        pixels = self.normalization(images)
        pixels = functional.pad(pixels, (0, -width % patch, 0, -height % patch))
        with self.trunk_gradients():
            states = self._image_side(pixels, max(self.levels) + 1)
        maps = [states[level].transpose(1, 2)[..., None] for level in self.levels]
        w = pixels.shape[-1] // patch
        cells = (each[:, :, 1:, 0].unflatten(2, (-1, w)) for each in maps)
        return (*cells, *(each[:, :, :1] for each in maps))

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """The maps as they are, also beyond the image: the decoder attends to every cell."""
        return maps

    @property
    def _image_side(self) -> "ClipImageSide":
        assert isinstance(self.trunk, ClipImageSide)
        return self.trunk

    def trunk_settings(self) -> dict[str, Any]:
        """The architecture of the image side, and where it is tapped."""
        return {
            "architecture": plain_config(self.config.vision_config),
            "levels": [*self.levels],
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


def _check_levels(config: PreTrainedConfig, name: str) -> None:
    levels, layers = config.extract_layers, config.vision_config.num_hidden_layers
    if not levels or not all(0 <= level < layers for level in levels):
        raise ConfigError(
            f"Expected layers from 0 to {layers - 1} as extract_layers of '{name}', got {levels}; "
            "correct its config.json."
        )


class ClipImageSide(nn.Module):
    """What CLIPSeg's CLIP has for images, under its own names; all of it, so that none is lost.

    Args:
        config: of a whole CLIPSeg.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        vision = config.vision_config
        model: Any = import_transformers().CLIPSegVisionModel(vision)
        # Older releases of the library wrap it once more.
        self.vision_model: Any = getattr(model, "vision_model", model)
        self.visual_projection = nn.Linear(vision.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(float(config.logit_scale_init_value)))
        self.options = layer_options(self.vision_model.encoder.layers[0])

    @classmethod
    def load(cls, name: str, config: PreTrainedConfig) -> "ClipImageSide":
        """Make it with the weights of a CLIPSeg.

        Args:
            name: on the Hugging Face hub, or a folder.
            config: of it.

        Raises:
            ConfigError: the weights cannot be loaded.
        """
        kind = import_transformers().CLIPSegModel
        whole = load_pretrained(kind, name, with_one_layer_of(config, "text_config"), is_part=True)
        found = cls(config)
        parts = {"text_model", "text_projection"}
        weights = whole.state_dict().items()
        found.load_state_dict({k: v for k, v in weights if k.partition(".")[0] not in parts})
        return found

    def unused(self, layers: int) -> list[str]:
        """Names of the parameters that the states of the first layers do not depend on.

        Args:
            layers: so many of them.
        """
        read = ["embeddings", "pre_layrnorm", *(f"encoder.layers.{n}" for n in range(layers))]
        inside = tuple(f"vision_model.{name}." for name in read)
        return [name for name, _ in self.named_parameters() if not name.startswith(inside)]

    def forward(self, pixels: Tensor, layers: int) -> list[Tensor]:
        """The tokens [images tokens dim] after each of the first layers, the class token first.

        Args:
            pixels: normalised, in whole cells.
            layers: so many of them.
        """
        model = self.vision_model
        tokens = model.pre_layrnorm(model.embeddings(pixels, interpolate_pos_encoding=True))
        states = []
        for layer in model.encoder.layers[:layers]:
            tokens = apply_layer(layer, tokens, self.options)
            states.append(tokens)
        return states
