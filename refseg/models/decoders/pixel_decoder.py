"""Maps of several strides brought to one width, aware of each other, and one vector per pixel."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.decoders.deformable_attention import DeformableLayer
from refseg.models.decoders.sine_positions import sine_positions
from refseg.types import Maps


class PixelFeatures(NamedTuple):
    """What queries look at.

    Args:
        pixels: a vector for each cell of the finest map, which mask embeddings are compared with.
        levels: the coarser maps, all of one width, from coarse to fine; the map itself if there is
            one alone.
    """

    pixels: Float[Tensor, " expressions mask_dim h w"]
    levels: Maps


class PixelDecoder(nn.Module, ABC):
    """Brings maps of several strides to one width and makes each know of the others.

    Built from `(dims, hidden_dim, mask_dim)`: channels of the maps from fine to coarse, of the
    levels, and of the pixels. It knows its number of levels.
    """

    levels: int

    @abstractmethod
    def forward(self, maps: Maps) -> PixelFeatures:
        """Decode the maps, given from fine to coarse."""


class DeformablePixelDecoder(PixelDecoder):
    """The pixel decoder of Mask2Former: deformable attention between all cells of the coarser maps.

    The finest map is too large for it: its 1×1 convolution is added to the enlarged next coarser
    map, and a 3×3 convolution smooths the sum. Group normalisation throughout: nothing depends on
    the other expressions of a batch.

    Args:
        dims: channels of the maps, from fine to coarse.
        hidden_dim: channels of the levels, a multiple of 4.
        mask_dim: channels of the pixels.
        layers: of deformable attention.
        heads: of the attention; a divisor of `hidden_dim`.
        feedforward_dim: hidden width of the layers' MLP.

    References:
        Cheng et al., *Masked-attention Mask Transformer for Universal Image Segmentation*
        (Mask2Former), CVPR 2022, https://arxiv.org/abs/2112.01527, section 3.2.2.
    """

    def __init__(
        self,
        dims: Sequence[int],
        hidden_dim: int,
        mask_dim: int,
        layers: int = 6,
        heads: int = 8,
        feedforward_dim: int = 1024,
    ) -> None:
        super().__init__()
        coarser = dims[1:] or dims
        self.levels = len(coarser)
        self.inputs = nn.ModuleList(  # from coarse to fine, as all that follows
            _normalized(nn.Conv2d(dim, hidden_dim, 1)) for dim in reversed(coarser)
        )
        self.level_positions = nn.Parameter(torch.randn(self.levels, hidden_dim))
        self.layers = nn.ModuleList(
            DeformableLayer(hidden_dim, self.levels, heads, feedforward_dim) for _ in range(layers)
        )
        self.finest = _Refinement(dims[0], hidden_dim) if len(dims) > 1 else None
        self.pixels = nn.Conv2d(hidden_dim, mask_dim, 1)

    def forward(self, maps: Maps) -> PixelFeatures:
        """Decode the maps, given from fine to coarse."""
        *coarser, finest = reversed(maps)
        seen = [layer(each) for layer, each in zip(self.inputs, coarser or [finest], strict=True)]
        sizes = [(each.shape[-2], each.shape[-1]) for each in seen]
        cells = torch.cat([each.flatten(2).transpose(1, 2) for each in seen], dim=1)
        positions = self._positions(sizes, cells)
        places = torch.cat([_centres(h, w, cells.device) for h, w in sizes])[None, :, None]
        for layer in self.layers:
            cells = layer(cells, positions, places, sizes)
        levels = tuple(
            each.transpose(1, 2).unflatten(2, size)
            for each, size in zip(cells.split([h * w for h, w in sizes], dim=1), sizes, strict=True)
        )
        finer = levels[-1] if self.finest is None else self.finest(finest, levels[-1])
        return PixelFeatures(self.pixels(finer), levels)

    def _positions(
        self, sizes: Sequence[tuple[int, int]], cells: Float[Tensor, " expressions cells dim"]
    ) -> Float[Tensor, " cells dim"]:
        """Where each cell lies in its map, and which map it is of."""
        dim = cells.shape[2]
        positions = [
            sine_positions(h, w, dim, cells.device).flatten(1).T.to(level.dtype) + level
            for (h, w), level in zip(sizes, self.level_positions, strict=True)
        ]
        return torch.cat(positions)


class PyramidPixelDecoder(PixelDecoder):
    """A plain feature pyramid: from coarse to fine, enlarge, add, convolve.

    A tenth of the work of deformable attention; coarse cells do not hear of fine ones.

    Args:
        dims: channels of the maps, from fine to coarse.
        hidden_dim: channels of the levels.
        mask_dim: channels of the pixels.

    References:
        Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017,
        https://arxiv.org/abs/1612.03144, section 3, with a convolution after each addition, as
        MaskFormer's pixel decoder has it.
    """

    def __init__(self, dims: Sequence[int], hidden_dim: int, mask_dim: int) -> None:
        super().__init__()
        self.levels = len(dims[1:] or dims)
        self.coarsest = nn.Sequential(*_smoothing(dims[-1], hidden_dim))
        self.refinements = nn.ModuleList(_Refinement(dim, hidden_dim) for dim in dims[-2::-1])
        self.pixels = nn.Conv2d(hidden_dim, mask_dim, 1)

    def forward(self, maps: Maps) -> PixelFeatures:
        """Decode the maps, given from fine to coarse."""
        coarsest, *finer = reversed(maps)
        merged = [self.coarsest(coarsest)]
        for refine, each in zip(self.refinements, finer, strict=True):
            merged.append(refine(each, merged[-1]))
        return PixelFeatures(self.pixels(merged[-1]), tuple(merged[: self.levels]))


class _Refinement(nn.Module):
    """A finer map added to a coarser one, and smoothed."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.lateral = _normalized(nn.Conv2d(dim, hidden_dim, 1, bias=False))
        self.smoothing = nn.Sequential(*_smoothing(hidden_dim, hidden_dim))

    def forward(
        self, finer: Float[Tensor, " n _ h w"], coarser: Float[Tensor, " n hidden_dim _ _"]
    ) -> Float[Tensor, " n hidden_dim h w"]:
        """Refine a coarser map."""
        enlarged = functional.interpolate(
            coarser, size=finer.shape[-2:], mode="bilinear", align_corners=False
        )
        return self.smoothing(self.lateral(finer) + enlarged)


def _normalized(layer: nn.Conv2d) -> nn.Sequential:
    """A convolution, started by He's rule for linear units, with group normalisation."""
    nn.init.kaiming_uniform_(layer.weight, a=1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    # 32 groups of at least two channels: alone, the single value of a 1×1 map would become 0
    groups = math.gcd(32, layer.out_channels // 2) or 1
    return nn.Sequential(layer, nn.GroupNorm(groups, layer.out_channels))


def _smoothing(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return (*_normalized(convolution), nn.ReLU(inplace=True))


def _centres(h: int, w: int, device: torch.device) -> Float[Tensor, " cells 2"]:
    """Where the centres of a map's cells lie, x and y in [0, 1], row by row."""
    y = (torch.arange(h, device=device) + 0.5) / h
    x = (torch.arange(w, device=device) + 0.5) / w
    return torch.stack([x.expand(h, w), y[:, None].expand(h, w)], dim=-1).flatten(0, 1)
