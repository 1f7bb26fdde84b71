"""Backbones around a trunk that others trained, in two halves: the trunk, and what follows it."""

import hashlib
from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from refseg.models.backbones.base import Backbone, Normalization
from refseg.models.freezing import Pretrained

Levels = tuple[Float[Tensor, " images _ _ _"], ...]


class TrunkBackbone(Pretrained, Backbone):
    """Computes `levels` by the trunk, and features from these by `finish`.

    The levels of a frozen trunk depend on the image alone. They can be computed once and kept
    (`refseg data features`); what follows the trunk may be trained all the same.
    """

    normalization: Normalization

    def forward(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images image_dim h w"]:
        """Encode a batch of 8-bit RGB images."""
        with self.trunk_gradients():
            levels = self.levels(images)
        height, width = images.shape[-2:]
        return self.finish(levels, (height, width))

    @abstractmethod
    def levels(self, images: UInt8[Tensor, " images 3 height width"]) -> Levels:
        """What the trunk makes of 8-bit RGB images: one map or several, from fine to coarse."""

    def finish(
        self, levels: Levels, size: tuple[int, int]
    ) -> Float[Tensor, " images image_dim h w"]:
        """Make features of the trunk's levels: the last one is it, unless a backbone adds to it.

        Args:
            levels: as `levels` gave them.
            size: (height, width) of the images, pixels.
        """
        return levels[-1]

    @abstractmethod
    def trunk_settings(self) -> dict[str, Any]:
        """What the levels depend on besides weights and pixels, as plain values with names."""

    def trunk_identity(self) -> dict[str, Any]:
        """All that the levels of an image depend on but for the image: settings and weights."""
        normalization = self.normalization
        statistics = {
            "bgr": normalization.bgr,
            "white": normalization.unit,
            "mean": normalization.mean.flatten().tolist(),
            "deviation": normalization.deviation.flatten().tolist(),
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
