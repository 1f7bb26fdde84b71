"""The image side of SAM 2 from the transformers library."""

from collections.abc import Mapping
from math import lcm
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.base import Normalization
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.huggingface import (
    Architecture,
    PreTrainedConfig,
    check_architecture,
    import_transformers,
    load_pretrained,
    plain_config,
)
from refseg.models.weights.provenance import of_hub
from refseg.models.weights.sam import load_sam_config
from refseg.types import Maps

_NAMES = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


class Sam2Image(nn.Module):
    """What SAM 2 makes of an image before it is prompted, under its own names.

    Two of the layers are its mask decoder's, which narrow the finer maps, and one vector says that
    an image is not part of a video: they depend on the image alone, and SAM 2 computes them once.

    Args:
        config: a `Sam2VisionConfig` of the transformers library.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        dim = config.fpn_hidden_size
        self.vision_encoder = import_transformers().Sam2VisionModel(config)
        self.conv_s0, self.conv_s1 = nn.Conv2d(dim, dim // 8, 1), nn.Conv2d(dim, dim // 4, 1)
        self.no_memory_embedding = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(
        self, pixels: Float[Tensor, " images 3 height width"]
    ) -> tuple[Float[Tensor, " images _ _ _"], ...]:
        """Maps of stride 4, 8 and 16."""
        fine, middle, coarse = self.vision_encoder(pixels).fpn_hidden_states
        coarse = coarse + self.no_memory_embedding[0, 0][:, None, None]
        return self.conv_s0(fine), self.conv_s1(middle), coarse


class Sam2Backbone(TrunkBackbone):
    """The image encoder of SAM 2: a Hiera with a pyramid, faster than that of SAM.

    It has three maps: of 256 channels with a stride of 16 pixels, which prompts ask, and of 64 and
    32 channels with strides of 8 and 4, which `SamDecoder` outlines masks on. It is computed as a
    whole. SAM 2's memory of videos is not loaded.

    Pixels are normalised by the statistics of ImageNet, as SAM 2 does. It was trained on squares of
    1024 pixels (`data.image_size`); for images of another size its positions are interpolated.
    Images are padded with the mean colour to whole windows, and the cells beyond the image are cut
    off.

    Args:
        name: on the Hugging Face hub, `facebook/sam2.1-hiera-base-plus` say, or a folder that
            `save_pretrained` wrote.
        frozen: leave the encoder as it is.
        for_dense_prompt: give the coarsest map twice: the fusion takes one, and lets the others
            pass by for a `SamDecoder` that is prompted with the fused map (its `dense`).
        pretrained: load the weights; else only the architecture, with random weights.
        architecture: what a checkpoint keeps in place of the files behind `name`, written by
            `portable_arguments`; not set by hand.

    Raises:
        ConfigError: there is no such model, no network to get it, or it is not of SAM 2's kind.

    References:
        Ravi et al., *SAM 2: Segment Anything in Images and Videos*, 2024,
        https://arxiv.org/abs/2408.00714, section 4 and appendix D.
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
        if architecture is None:
            whole = load_sam_config(name, ("sam2",))
            config = whole.vision_config
        else:
            config = _restored(architecture)
        self.config, trunk = config, Sam2Image(config)
        if pretrained and architecture is None:
            model = load_pretrained(import_transformers().Sam2Model, name, whole, is_part=True)
            weights = model.state_dict()
            for layer in ("conv_s0", "conv_s1"):
                for kind in ("weight", "bias"):
                    weights[f"{layer}.{kind}"] = weights[f"mask_decoder.{layer}.{kind}"]
            trunk.load_state_dict({key: weights[key] for key in trunk.state_dict()})
            self.origin = of_hub(name, getattr(whole, "_commit_hash", None))
        self.hold(trunk, frozen)
        self.normalization = Normalization("imagenet")
        hiera, dim = config.backbone_config, config.fpn_hidden_size
        patch = hiera.patch_stride[0]
        coarsest = patch * 2 ** (len(hiera.blocks_per_stage) - 1)
        self.whole = lcm(patch * hiera.window_size_per_stage[0], coarsest)
        self.copies = 2 if for_dense_prompt else 1
        self.dims = (dim // 8, dim // 4, *(dim,) * self.copies)
        self.strides = (patch, 2 * patch, *(4 * patch,) * self.copies)

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute the three maps."""
        height, width = images.shape[-2:]
        with self.trunk_gradients():
            pixels = self.normalization(images)
            pixels = functional.pad(pixels, (0, -width % self.whole, 0, -height % self.whole))
            return self.trunk(pixels)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Cut off the cells beyond the image."""
        height, width = size
        return tuple(
            each[..., : -(-height // stride), : -(-width // stride)]
            for each, stride in zip((*maps, *maps[-1:]), self.strides, strict=False)
        )

    def trunk_settings(self) -> dict[str, Any]:
        """The architecture, and how its images are padded."""
        architecture = {
            part: {k: v for k, v in values.items() if k not in _NAMES}
            for part, values in self.portable_arguments()["architecture"].items()
            if isinstance(values, dict)
        }
        return {"architecture": architecture, "whole": self.whole}

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the architecture is given, in place of the files behind `name`."""
        return arguments.get("architecture") is not None

    def portable_arguments(self) -> dict[str, Any]:
        """The architecture in place of the files behind `name`."""
        plain = plain_config(self.config)
        neck = {k: v for k, v in plain.items() if not k.startswith("backbone")}
        architecture = {
            "model_type": neck.pop("model_type"),
            "neck": neck,
            "hiera": plain_config(self.config.backbone_config),
            "channels": list(self.config.backbone_channel_list),
        }
        return {"architecture": architecture}


def _restored(architecture: Architecture) -> PreTrainedConfig:
    """The configuration of a checkpoint's copy, whose parts are of known classes."""
    check_architecture(architecture)
    transformers = import_transformers()
    hiera = {k: v for k, v in architecture["hiera"].items() if k != "model_type"}
    return transformers.Sam2VisionConfig(
        **architecture["neck"],
        backbone_config=transformers.Sam2HieraDetConfig(**hiera),
        backbone_channel_list=architecture["channels"],
    )
