"""A backbone that learns from scratch in minutes."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.checkpoint import read_checkpoint
from refseg.errors import ConfigError
from refseg.models.backbones.base import Backbone, Normalization, Stage
from refseg.models.backbones.pyramid import FeaturePyramid, convolution
from refseg.models.weights.files import load_weights
from refseg.models.weights.provenance import of_file
from refseg.types import Maps

_SAVED = "segmenter.backbone."
"""What the names of a backbone's weights begin with in a checkpoint."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(self.first(features)))


class SmallBackbone(Backbone):
    """A feature pyramid of residual blocks, small enough to train on two processor cores.

    Strides 2, 4, 8 and 16 on the way down; on the way up the coarse levels, which see the whole
    scene, are added to the finer ones. Relations between distant objects need the former, outlines
    the latter.

    The pyramid learns colours late, and sentences name them early. Part of the result is therefore
    made of the average colour of each cell alone, by two 1×1 convolutions.

    Args:
        width: channels at stride 4; twice as many at strides 8 and 16.
        image_dim: channels of the output.
        stride: pixels per cell of the output.
        blocks: residual blocks per stage, from stride 4 on.
        colour_dim: those channels of the output that are made of the average colour alone.
        fine_dim: give a map of stride 2 as well, with that many channels, to decoders that outline
            objects on it (`MaskEmbeddingDecoder`, `PyramidDecoder`): the finer maps with the output
            added to them. None: the output alone.
        fine_blocks: residual blocks at stride 2, which tell the shapes of objects of a few pixels.
        weights: a checkpoint of refseg, whose backbone it starts as; of the same sizes.
        frozen: leave the weights as they are, and the statistics of batch normalisation.

    Raises:
        ConfigError: `colour_dim` leaves no channel of `image_dim` to the pyramid, or the weights
            are those of another backbone.
        CheckpointError: `weights` is no checkpoint of refseg.
    """

    def __init__(
        self,
        width: int = 48,
        image_dim: int = 64,
        stride: Literal[4, 8] = 4,
        blocks: int = 1,
        colour_dim: int = 24,
        fine_dim: int | None = None,
        fine_blocks: int = 0,
        weights: str | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < colour_dim < image_dim:
            raise ConfigError(
                f"Expected colour_dim between 0 and image_dim, {image_dim}, got {colour_dim}."
            )
        self.dims = (image_dim,) if fine_dim is None else (fine_dim, image_dim)
        self.strides = (stride,) if fine_dim is None else (2, stride)
        self.normalization = Normalization("half")
        self.first = nn.Sequential(
            *convolution(3, width // 2, stride=2),
            *(_Residual(width // 2) for _ in range(fine_blocks)),
        )
        widths = (width, 2 * width, 2 * width)
        inputs = (width // 2, width, 2 * width)
        self.levels = nn.ModuleList(
            nn.Sequential(
                convolution(before, after, stride=2), *(_Residual(after) for _ in range(blocks))
            )
            for before, after in zip(inputs, widths, strict=True)
        )
        self.merged = 3 if stride == 4 else 2  # levels that the pyramid is made of
        self.pyramid = FeaturePyramid(widths[-self.merged :], image_dim - colour_dim)
        self.colour = nn.Sequential(
            convolution(3, colour_dim, kernel=1), convolution(colour_dim, colour_dim, kernel=1)
        )
        self.taps = (self.STEM, *range(4 - self.merged, 4))
        self.fine_pyramid: FeaturePyramid | None = None
        if fine_dim is not None:
            self.taps = (self.STEM, *range(4))
            self.fine_pyramid = FeaturePyramid((*inputs[: 4 - self.merged], image_dim), fine_dim)
            self.embedding = nn.Conv2d(fine_dim, fine_dim, 1)  # of either sign
        if weights is not None:
            saved = read_checkpoint(weights)["state_dict"].items()
            own = {name.removeprefix(_SAVED): w for name, w in saved if name.startswith(_SAVED)}
            load_weights(self, own, weights)
            self.origin = of_file(weights)
        self.frozen = frozen
        self.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> "SmallBackbone":
        """Set the mode; a frozen backbone is always evaluated."""
        return super().train(mode and not self.frozen)

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}

    @property
    def stages(self) -> Sequence[Stage]:
        """Four of them, each of which halves the map."""
        return (self.first, *self.levels)

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images 3 height width"]:
        """Pixels between -1 and 1, from which the neck takes the colours."""
        return self.normalization(images)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Merge the maps and add the channels of the average colour."""
        pixels, levels = maps[0], maps[1:]
        merged = self.pyramid(levels[-self.merged :])
        average = functional.adaptive_avg_pool2d(pixels, merged.shape[-2:])
        coarse = torch.cat([merged, self.colour(average)], dim=1)
        if self.fine_pyramid is None:
            return (coarse,)
        fine = self.fine_pyramid((*levels[: -self.merged], coarse))
        return self.embedding(fine), coarse
