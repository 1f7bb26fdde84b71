"""What every backbone promises, and how pixels become its input."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from refseg.models.weights.provenance import RANDOM, Origin
from refseg.types import Maps

NormalizationName = Literal["imagenet", "caffe_bgr", "ilsvrc_bgr", "vgg_rgb", "half", "clip"]

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's pixels: RGB, where white is (1, 1, 1)."""

# name -> (channels are BGR, value that becomes 1, mean, standard deviation)
_STATISTICS: dict[
    NormalizationName, tuple[bool, float, tuple[float, float, float], tuple[float, float, float]]
] = {
    "imagenet": (False, 255.0, *IMAGENET),
    "caffe_bgr": (True, 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "ilsvrc_bgr": (True, 1.0, (104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0)),
    "vgg_rgb": (False, 1.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "half": (False, 255.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": (
        False,
        255.0,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
}


class Normalization(nn.Module):
    """Turns 8-bit RGB pixels into what a set of weights was trained on.

    It belongs to the backbone, because it belongs to the weights: the same batch serves them all.
    Statistics and arithmetic stay float32 (bfloat16 makes 123.5 of a mean of 123.68); the result
    has the type of the weights that follow.

    Args:
        name: `imagenet` is torchvision's; `caffe_bgr` is BGR, 0–255, minus the channel means;
            `ilsvrc_bgr` the same with other means (RMI); `vgg_rgb` the means of `caffe_bgr` in RGB
            (Hu et al.); `half` maps 0–255 to [-1, 1]; `clip` is CLIP's.

    Example:
        >>> images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
        >>> Normalization("half")(images).unique()
        tensor([1.])
    """

    mean: Tensor
    std: Tensor
    typed: Tensor

    def __init__(self, name: NormalizationName) -> None:
        super().__init__()
        self.bgr, self.unit, mean, std = _STATISTICS[name]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        self.register_buffer("typed", torch.empty(0), persistent=False)  # as the weights are

    @classmethod
    def from_statistics(cls, mean: Sequence[float], std: Sequence[float]) -> "Normalization":
        """The normalisation by a model's own statistics: RGB, where white is (1, 1, 1)."""
        normalization = cls("imagenet")
        normalization.mean = torch.tensor(mean)[:, None, None]
        normalization.std = torch.tensor(std)[:, None, None]
        return normalization

    def forward(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images 3 height width"]:
        """Normalise a batch of images."""
        pixels = images.flip(1) if self.bgr else images
        exact = pixels.to(torch.promote_types(self.typed.dtype, torch.float32))
        return ((exact / self.unit - self.mean) / self.std).to(self.typed.dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Normalization":
        """Go along to another device, but not to another type."""
        kept = self.mean, self.std
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's has no annotations
        self.mean, self.std = (statistic.to(self.typed.device) for statistic in kept)
        return self


class Classifier(NamedTuple):
    """The layer that told classes apart where weights were trained, for who wants to start from it.

    Args:
        weight: one row per class.
        bias: one number per class.
    """

    weight: Float[Tensor, " classes dim"]
    bias: Float[Tensor, " classes"]


Stage = Callable[[Tensor], Tensor]


class Backbone(nn.Module, ABC):
    """Turns images into maps: `stem`, one of the `stages` after the other, `neck`.

    Between the stages a fusion may speak (`Fusion.at_stage`). What the words do not change is
    computed once per image, however many expressions look at it.

    A backbone knows its own widths and strides, so that no config repeats them. Of each map that
    the neck gives, from fine to coarse:

    * `dims`: channels;
    * `strides`: pixels per cell; `h = ceil(height / stride)`.

    And of the way there:

    * `stem`: 8-bit RGB images -> what the first stage is given;
    * `stages`: map -> map, in the order of the data;
    * `taps`: the stages whose maps the neck is given, `STEM` for that of the stem.

    A backbone that can only be computed as a whole has no stem, no stages and no taps: it overrides
    `maps`, and no fusion can speak before its neck.

    Beside these, it says what its weights started as: `origin`, and `classifier`, the linear layer
    over its last map that came with them, if one did.
    """

    STEM = -1

    dims: tuple[int, ...]
    strides: tuple[int, ...]
    stem: Callable[[UInt8[Tensor, " images 3 height width"]], Tensor]
    taps: tuple[int, ...] = ()
    origin: Origin = RANDOM
    classifier: Classifier | None = None

    @property
    def stages(self) -> Sequence[Stage]:
        """What follows the stem, map -> map."""
        return ()

    def cells(self, state: Float[Tensor, " n dim _ w"]) -> Float[Tensor, " n dim _ w"]:
        """The map in what a stage gives, which a fusion sees and the neck is given.

        It is all of it, unless other tokens travel along that have no place in the image. Whatever
        a stage gives is one tensor with a row per image or expression.
        """
        return state

    def with_cells(
        self, state: Float[Tensor, " n dim _ w"], cells: Float[Tensor, " n dim h w"]
    ) -> Float[Tensor, " n dim _ w"]:
        """What a stage has given, with the cells that a fusion shows to the next one."""
        return cells

    def open_stages(self) -> None:
        """Prepare for a fusion that speaks between the stages: by default nothing is to be done.

        Called once, by the segmenter that is made of both. What the neck is given then comes from
        the fusion, and weights that only its place would need are not trained.
        """

    @torch.no_grad()
    def stage_dims(self) -> tuple[int, ...]:
        """Channels of the map that each of the stages gives, found by a look at a small image."""
        was_training = self.training
        self.eval()
        device = next(self.parameters()).device
        current = self.stem(torch.zeros(1, 3, 64, 64, dtype=torch.uint8, device=device))
        dims = []
        for stage in self.stages:
            current = stage(current)
            dims.append(current.shape[1])
        self.train(was_training)
        return tuple(dims)

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute what the neck is given: the maps of the tapped stages, from fine to coarse.

        Args:
            images: 8-bit RGB.
            until: the stage to stop after; what it gives is then the last one, tapped or not.
        """
        current = self.stem(images)
        kept = [self.cells(current)] if self.STEM in self.taps else []
        for number, stage in enumerate(self.stages):
            current = stage(current)
            if number == until:
                return (*kept, current)
            if number in self.taps:
                kept.append(self.cells(current))
        return tuple(kept)

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Make what is fused with words of the tapped maps: the last one, unless overridden.

        Args:
            maps: of the tapped stages, a row per image or per expression.
            size: (height, width) of the images, pixels.
        """
        return maps[-1:]

    def forward(self, images: UInt8[Tensor, " images 3 height width"]) -> Maps:
        """Encode a batch of 8-bit RGB images."""
        height, width = images.shape[-2:]
        return self.neck(self.maps(images), (height, width))

    def vectors(
        self, crops: UInt8[Tensor, " crops 3 height width"]
    ) -> Float[Tensor, " crops dim 1 1"]:
        """One vector per crop of an image: the mean of its map, unless a backbone knows better."""
        return self(crops)[-1].mean((2, 3), keepdim=True)

    @classmethod
    def is_portable(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether these constructor arguments ask for no file and no download.

        Those of a checkpoint do not (`portable_arguments`), and one whose do is not opened.
        """
        return arguments.get("weights") is None

    def portable_arguments(self) -> dict[str, Any]:
        """Constructor arguments that make this backbone again without any file but a checkpoint.

        They replace the configured ones in a checkpoint, which carries the weights itself.
        """
        return {}
