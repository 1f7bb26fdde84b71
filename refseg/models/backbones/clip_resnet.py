"""CLIP's ResNets, with the spatial attention pool of CRIS."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Normalization
from refseg.models.backbones.trunk import TrunkBackbone
from refseg.models.weights.clip import read_clip
from refseg.models.weights.files import load_weights
from refseg.models.weights.provenance import of_file
from refseg.precision import full_precision
from refseg.types import Maps

ClipResNetName = Literal["RN50", "RN101", "RN50x4", "RN50x16", "RN50x64"]


class _Sizes(NamedTuple):
    layers: tuple[int, ...]
    width: int
    embed_dim: int
    input_resolution: int


_PUBLISHED: dict[ClipResNetName, _Sizes] = {
    "RN50": _Sizes((3, 4, 6, 3), 64, 1024, 224),
    "RN101": _Sizes((3, 4, 23, 3), 64, 512, 224),
    "RN50x4": _Sizes((4, 6, 10, 6), 80, 640, 288),
    "RN50x16": _Sizes((6, 8, 18, 8), 96, 768, 384),
    "RN50x64": _Sizes((3, 15, 36, 10), 128, 1024, 448),
}
_COARSEST = 32  # pixels per cell


class ClipResNet(TrunkBackbone):
    """A ResNet of CLIP at strides 8, 16 and 32, as CRIS uses it.

    CLIP's attention pool makes one vector of an image: a mean token asks all cells. Here every cell
    of the last stage asks all others, so that each has a vector in CLIP's space, next to which the
    text tower's sentences lie. The learned positions, but for that of the mean token, are resized
    bicubically to the image. A 1×1 convolution with batch normalisation, which is new and not
    CLIP's, goes past the pool (`connect`), and a ReLU follows.

    Its four stages have strides 4, 8, 16 and 32. Images of other sizes are padded with the mean
    colour to whole cells of 32 pixels, and finer cells beyond the image are cut off.

    Args:
        name: of CLIP's networks; the sizes that follow are its own unless given.
        stride: pixels per cell of the finest map that is given; 8 in CRIS. Coarser ones are given
            as well.
        weights: none: random; else the path of a state dict (`.safetensors`, `.pt`, `.pth`) with
            the names that OpenAI and open_clip share (`visual.conv1.weight`, ...); what it has of
            the text tower is ignored. OpenAI's own archives run code when they are opened, and are
            refused.
        frozen: leave CLIP's weights as they are, and train `connect` and what follows only.
        layers: blocks of each of the four stages.
        width: channels of the stem; the stages have 4, 8, 16 and 32 times as many.
        heads: of the attention pool; a head per 64 channels in CLIP.
        embed_dim: channels of the coarsest map.
        input_resolution: side of the square images that the positions were learned for, pixels.

    Raises:
        ConfigError: sizes or weights do not fit, or the file cannot be read without running it.

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*
        (CLIP), ICML 2021, https://arxiv.org/abs/2103.00020, section 2.4, and Wang et al., *CRIS:
        CLIP-Driven Referring Image Segmentation*, CVPR 2022, https://arxiv.org/abs/2111.15174,
        section 3.1.

    Example:
        >>> backbone = ClipResNet(layers=(1, 1, 1, 1), width=4, heads=2, embed_dim=6)
        >>> [tuple(each.shape) for each in backbone(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))]
        [(1, 32, 8, 12), (1, 64, 4, 6), (1, 6, 2, 3)]
    """

    ends = (10, 11, 12, 13, 14)  # the stem has ten layers, each stage is one

    def __init__(
        self,
        name: ClipResNetName = "RN50",
        stride: Literal[8, 16, 32] = 8,
        weights: str | None = None,
        frozen: bool = False,
        layers: Sequence[int] | None = None,
        width: int | None = None,
        heads: int | None = None,
        embed_dim: int | None = None,
        input_resolution: int | None = None,
    ) -> None:
        super().__init__()
        published = _PUBLISHED[name]
        sizes = _Sizes(
            tuple(layers or published.layers),
            width or published.width,
            embed_dim or published.embed_dim,
            input_resolution or published.input_resolution,
        )
        deepest = 32 * sizes.width  # channels of the last stage
        heads = heads or max(1, deepest // 64)
        _check(sizes, heads)
        self.normalization = Normalization("clip")
        trunk = nn.Sequential(_layers(sizes, heads))
        if weights is None:
            _initialize(trunk)
        else:
            load_weights(trunk, _of_images(weights), weights)
            self.origin = of_file(weights)
        self.hold(trunk, frozen)
        self.connect = nn.Sequential(
            nn.Conv2d(deepest, sizes.embed_dim, 1, bias=False), nn.BatchNorm2d(sizes.embed_dim)
        )
        self.strides = tuple(each for each in (8, 16, 32) if each >= stride)
        self.taps = tuple({8: 1, 16: 2, 32: 3}[each] for each in self.strides)
        widths = {8: 8 * sizes.width, 16: 16 * sizes.width, 32: sizes.embed_dim}
        self.dims = tuple(widths[each] for each in self.strides)

    def stem(
        self, images: UInt8[Tensor, " images 3 height width"]
    ) -> Float[Tensor, " images dim h w"]:
        """Three convolutions and a mean over two by two pixels: stride 4."""
        height, width = images.shape[-2:]
        missing = (0, -width % _COARSEST, 0, -height % _COARSEST)
        return self.entry(functional.pad(self.normalization(images), missing))

    def neck(self, maps: Maps, size: tuple[int, int]) -> Maps:
        """Let the cells of the last stage attend to each other, and cut off what is padding."""
        pool = cast("SpatialAttentionPool", self.trunk.get_submodule("attnpool"))
        coarsest = functional.relu(pool(maps[-1]) + self.connect(maps[-1]))
        height, width = size
        return tuple(
            each[..., : -(-height // stride), : -(-width // stride)]
            for each, stride in zip((*maps[:-1], coarsest), self.strides, strict=True)
        )

    def trunk_settings(self) -> dict[str, Any]:
        """Where it is tapped: the rest shows in the names and shapes of the weights."""
        return {"strides": list(self.strides)}

    def portable_arguments(self) -> dict[str, Any]:
        """No weights: the checkpoint has them."""
        return {"weights": None}


class SpatialAttentionPool(nn.Module):
    """CLIP's attention pool with every cell as a query, and no mean token.

    Args:
        dim: channels of the map.
        heads: of the attention.
        output_dim: channels of the result.
        side: cells on a side of the square grid that the positions were learned for.
    """

    def __init__(self, dim: int, heads: int, output_dim: int, side: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        # The first position is the mean token's: it stays with CLIP's weights, and is not used.
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, dim) / dim**0.5)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.c_proj = nn.Linear(dim, output_dim)

    def forward(self, maps: Float[Tensor, " n dim h w"]) -> Float[Tensor, " n output_dim h w"]:
        """Let each cell attend to all cells."""
        h, w = maps.shape[-2:]
        cells = (maps + self.positions(h, w).to(maps.dtype)).flatten(2).transpose(1, 2)
        query, key, value = (
            projection(cells).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        projected = self.c_proj(attended.transpose(1, 2).flatten(2))
        return projected.transpose(1, 2).unflatten(2, (h, w))

    def positions(self, h: int, w: int) -> Float[Tensor, " dim h w"]:
        """The learned positions of cells, resized to the grid."""
        learned = full_precision(self.positional_embedding[1:])
        square = learned.T.unflatten(1, (self.side, self.side))[None]
        return functional.interpolate(square, size=(h, w), mode="bicubic", align_corners=False)[0]


class _Bottleneck(nn.Module):
    """A block of CLIP's: where others step, it takes a mean, in its main path and past it."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.pool = nn.AvgPool2d(stride)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            layers = {
                "pool": nn.AvgPool2d(stride),
                "0": nn.Conv2d(inputs, outputs, 1, bias=False),
                "1": nn.BatchNorm2d(outputs),
            }
            self.downsample = nn.Sequential(OrderedDict(layers))

    def forward(self, maps: Float[Tensor, " n _ h w"]) -> Float[Tensor, " n _ _ _"]:
        past = maps if self.downsample is None else self.downsample(maps)
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(self.pool(inner))) + past)


def _layers(sizes: _Sizes, heads: int) -> OrderedDict[str, nn.Module]:
    """All layers under CLIP's names, in the order of the data; the pool is the last."""
    width = sizes.width
    named: OrderedDict[str, nn.Module] = OrderedDict()
    stem = ((3, width // 2, 2), (width // 2, width // 2, 1), (width // 2, width, 1))
    for number, (inputs, outputs, stride) in enumerate(stem, start=1):
        named[f"conv{number}"] = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        named[f"bn{number}"] = nn.BatchNorm2d(outputs)
        named[f"relu{number}"] = nn.ReLU(inplace=True)
    named["avgpool"] = nn.AvgPool2d(2)
    inputs = width
    for stage, blocks in enumerate(sizes.layers):
        narrow = width * 2**stage
        steps = [1 if stage == 0 else 2, *[1] * (blocks - 1)]
        widths = [inputs, *[4 * narrow] * (blocks - 1)]
        named[f"layer{stage + 1}"] = nn.Sequential(
            *(_Bottleneck(each, narrow, step) for each, step in zip(widths, steps, strict=True))
        )
        inputs = 4 * narrow
    side = sizes.input_resolution // _COARSEST
    named["attnpool"] = SpatialAttentionPool(inputs, heads, sizes.embed_dim, side)
    return named


def _initialize(trunk: nn.Module) -> None:
    """Random numbers that keep the size of what is seen from layer to layer."""
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)


def _check(sizes: _Sizes, heads: int) -> None:
    if len(sizes.layers) != 4 or min(sizes.layers) < 1:
        raise ConfigError(
            f"Expected layers of each of four stages, at least one, got {list(sizes.layers)}."
        )
    if sizes.width % 2 or (32 * sizes.width) % heads:
        raise ConfigError(
            f"Expected an even width, and heads that share 32 times as many channels, got a width "
            f"of {sizes.width} and {heads} heads."
        )
    if sizes.input_resolution < _COARSEST or sizes.input_resolution % _COARSEST:
        raise ConfigError(
            f"Expected an input_resolution of whole cells of {_COARSEST} pixels, got "
            f"{sizes.input_resolution}."
        )


def _of_images(path: str) -> dict[str, Tensor]:
    """The weights of the image tower alone, without the prefix that a whole CLIP has."""
    found, prefix = read_clip(path), "visual."
    if not any(name.startswith(prefix) for name in found):
        return found
    return {
        name.removeprefix(prefix): weight
        for name, weight in found.items()
        if name.startswith(prefix)
    }
