"""Backbones around a trunk that others trained: the trunk, and the neck that follows it."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from refseg.models.backbones.base import Backbone, Normalization, Stage
from refseg.models.freezing import Pretrained
from refseg.types import Maps


class Chain:
    """Layers one after the other.

    Args:
        layers: they stay where they are registered, under their names.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self.layers = tuple(layers)

    def __call__(self, features: Tensor) -> Tensor:
        """Apply all of them."""
        for layer in self.layers:
            features = layer(features)
        return features


class TrunkBackbone(Pretrained, Backbone):
    """A trunk, whose stages are the backbone's, and a neck that is trained even where it is frozen.

    The maps of a frozen trunk depend on the image alone. They can be computed once and kept
    (`refseg data features`), as far as the first stage after which a fusion speaks.
    """

    normalization: Normalization
    ends: tuple[int, ...] = ()
    """In a trunk that is a chain: one past the last layer of the stem and of each stage."""

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Those of a trunk that is a chain, in the order of the data: its children."""
        return [*self.trunk.children()]

    @property
    def stages(self) -> Sequence[Stage]:
        """The layers of the chain between two `ends`."""
        layers = self.layers
        return [Chain(layers[start:end]) for start, end in pairwise(self.ends)]

    def entry(self, pixels: Tensor) -> Tensor:
        """The layers of the chain before its first stage."""
        return Chain(self.layers[: self.ends[0]])(pixels)

    def maps(
        self, images: UInt8[Tensor, " images 3 height width"], until: int | None = None
    ) -> Maps:
        """Compute the tapped maps, without gradients where the trunk is frozen."""
        with self.trunk_gradients():
            return super().maps(images, until)

    @abstractmethod
    def trunk_settings(self) -> dict[str, Any]:
        """What the maps depend on besides weights and pixels, as plain values with names."""

    def trunk_identity(self) -> dict[str, Any]:
        """All that the maps of an image depend on but for the image: settings and weights."""
        normalization = self.normalization
        statistics = {
            "bgr": normalization.bgr,
            "white": normalization.unit,
            "mean": normalization.mean.flatten().tolist(),
            "std": normalization.std.flatten().tolist(),
        }
        return {
            "backbone": type(self).__name__,
            **self.trunk_settings(),
            "normalization": statistics,
            "weights": self._trunk_digest(),
        }

    @torch.no_grad()
    def _trunk_digest(self) -> str:
        """SHA-256 over names, types, shapes and values of the trunk's parameters and buffers."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.trunk.state_dict().items()):
            if name.endswith("num_batches_tracked"):  # counts what training has seen
                continue
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()
