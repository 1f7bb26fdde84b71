"""What every backbone promises, and how pixels become its input."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from refseg.models.provenance import RANDOM, Origin

NormalizationName = Literal["imagenet", "caffe_bgr", "ilsvrc_bgr", "vgg_rgb", "half"]

# name -> (channels are BGR, value that becomes 1, mean, standard deviation)
_STATISTICS: dict[
    NormalizationName, tuple[bool, float, tuple[float, float, float], tuple[float, float, float]]
] = {
    "imagenet": (False, 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe_bgr": (True, 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "ilsvrc_bgr": (True, 1.0, (104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0)),
    "vgg_rgb": (False, 1.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "half": (False, 255.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


class Normalization(nn.Module):
    """Turns 8-bit RGB pixels into what a set of weights was trained on.

    It belongs to the backbone, because it belongs to the weights: the same batch serves them all.
    Statistics and arithmetic stay float32 (bfloat16 makes 123.5 of a mean of 123.68); the result
    has the type of the weights that follow.

    Args:
        name: `imagenet` is torchvision's; `caffe_bgr` is BGR, 0–255, minus the channel means;
            `ilsvrc_bgr` the same with other means (RMI); `vgg_rgb` the means of `caffe_bgr` in RGB
            (Hu et al.); `half` maps 0–255 to [-1, 1].

    Example:
        >>> images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
        >>> Normalization("half")(images).unique()
        tensor([1.])
    """

    mean: Tensor
    deviation: Tensor
    typed: Tensor

    def __init__(self, name: NormalizationName) -> None:
        super().__init__()
        self.bgr, self.unit, mean, deviation = _STATISTICS[name]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)
        self.register_buffer("typed", torch.empty(0), persistent=False)  # as the weights are

    @classmethod
    def from_statistics(cls, mean: Sequence[float], deviation: Sequence[float]) -> "Normalization":
        """The normalisation by a model's own statistics: RGB, where white is (1, 1, 1)."""
        normalization = cls("imagenet")
        normalization.mean = torch.tensor(mean)[:, None, None]
        normalization.deviation = torch.tensor(deviation)[:, None, None]
        return normalization

    def forward(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images 3 height width"]:
        """Normalise a batch of images."""
        pixels = images.flip(1) if self.bgr else images
        exact = pixels.to(torch.promote_types(self.typed.dtype, torch.float32))
        return ((exact / self.unit - self.mean) / self.deviation).to(self.typed.dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Normalization":
        """Go along to another device, but not to another type."""
        kept = self.mean, self.deviation
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's has no annotations
        self.mean, self.deviation = (statistic.to(self.typed.device) for statistic in kept)
        return self


class Classifier(NamedTuple):
    """The layer that told classes apart where weights were trained, for who wants to start from it.

    Args:
        weight: one row per class.
        bias: one number per class.
    """

    weight: Float[Tensor, " classes image_dim"]
    bias: Float[Tensor, " classes"]


class Backbone(nn.Module, ABC):
    """Turns images into a grid of feature vectors.

    A backbone knows its own width and stride, so that no config repeats them:

    * `image_dim`: channels of its output;
    * `stride`: pixels per cell of its output; `h = ceil(height / stride)`.

    Beside these, it says what its weights started as: `origin`, and `classifier`, the linear layer
    over its features that came with them, if one did.
    """

    image_dim: int
    stride: int
    origin: Origin = RANDOM
    classifier: Classifier | None = None

    @abstractmethod
    def forward(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images image_dim h w"]:
        """Encode a batch of 8-bit RGB images."""

    def vectors(
        self, crops: UInt8[Tensor, " crops 3 height width"]
    ) -> Float[Tensor, " crops image_dim 1 1"]:
        """One vector per crop of an image: the mean of its map, unless a backbone knows better."""
        return self(crops).mean((2, 3), keepdim=True)

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
