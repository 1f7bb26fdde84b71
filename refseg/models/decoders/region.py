"""Regions of an image that look, hear the words, and add up to a mask: the decoder of ReLA."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.decoders.base import Decoder
from refseg.models.decoders.pixel_decoder import (
    DeformablePixelDecoder,
    PixelDecoder,
    PyramidPixelDecoder,
)
from refseg.models.decoders.region_layers import RegionAttention, RegionLayer
from refseg.models.decoders.sine_positions import sine_positions
from refseg.precision import full_precision, without_autocast
from refseg.types import MINIMAP, Maps, Output, TextFeatures


class RegionDecoder(Decoder):
    """Asks a grid of regions what belongs to them, and which of them are meant.

    A pixel decoder makes levels of one width and a vector for each fine pixel. The regions, vectors
    that are learned, look at one level after the other, each at the cells of its own mask; in
    between they look at each other, and after the first look they hear the words. In the end each
    has a mask embedding, which the vectors of the pixels are compared with, and a logit for being
    meant; the logits of the pixels are the sum of the regions' masks weighted by these. So that a
    region knows its place, the logits of all are told how much of each cell of a coarse grid, the
    minimap, the mask covers (`auxiliary["minimap"]`, for `refseg.losses.MinimapLoss`). From all
    regions together comes what speaks against any target (`no_target`, which
    `refseg.losses.NoTargetLoss` trains): where it prevails, the mask is withdrawn.

    There are two numbers where one would do, for and against: of a region being meant, and of
    nothing being meant. The logit is their difference, whose softmax is the original's. The sum
    over regions is taken before pixels are compared, and pixels are made smaller before regions
    are compared with them: the same numbers for less work, since both are linear.

    Unlike the original:

    * padding is never attended. There, regions attend to it like words;
    * the minimap's target is a share, not one pixel (`MinimapLoss`);
    * the answer that nothing is meant starts at 0: untrained, it withdraws no mask;
    * with `pixel_decoder: pyramid`, there is a choice without deformable attention.

    Which cells a region looks at is decided by a threshold: in reduced precision single cells tip
    over, and logits follow them.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion. Of one map
            alone, its cells are levels and pixels at once.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: not used: this decoder listens to words.
        hidden_dim: channels of levels and regions, a multiple of 4.
        mask_dim: channels of pixels and mask embeddings. null: `hidden_dim`.
        layers: how often the regions look; they take the levels in turn, from coarse to fine.
        heads: of all attentions; a divisor of `hidden_dim`.
        feedforward_dim: hidden width of the MLP of a layer.
        grid: regions on each side of the image: the square of it in all.
        language_weight: of what the regions hear; it is multiplied by the sigmoid of a number that
            is learned.
        pixel_decoder: `deformable`, Mask2Former's as in the paper, or `pyramid`, much cheaper.
        pixel_layers: of deformable attention.
        pixel_feedforward_dim: hidden width of the MLP of such a layer.
        no_target: say whether anything is meant; false where every expression names something.

    Raises:
        ConfigError: the width cannot be shared among the heads, or is no multiple of 4.

    References:
        Liu, Ding, Jiang, *GRES: Generalized Referring Expression Segmentation*, CVPR 2023,
        https://arxiv.org/abs/2306.00968, section 4; the numbers are those of its code. The masked
        attention is of Cheng et al. (Mask2Former), CVPR 2022, https://arxiv.org/abs/2112.01527,
        section 3.2.1.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 5), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 6, 4, 4))
        >>> output = RegionDecoder((3, 6), 5, 1, hidden_dim=16, heads=2)(maps, text, (32, 32))
        >>> output.logits.shape, output.auxiliary["minimap"].shape
        (torch.Size([2, 32, 32]), torch.Size([2, 10, 10]))
    """

    listens = True

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 256,
        mask_dim: int | None = None,
        layers: int = 9,
        heads: int = 8,
        feedforward_dim: int = 2048,
        grid: int = 10,
        language_weight: float = 0.1,
        pixel_decoder: Literal["deformable", "pyramid"] = "deformable",
        pixel_layers: int = 6,
        pixel_feedforward_dim: int = 1024,
        no_target: bool = True,
    ) -> None:
        super().__init__()
        if hidden_dim % math.lcm(heads, 4):
            raise ConfigError(
                f"Expected a hidden_dim that is a multiple of 4 and that its {heads} heads can "
                f"share, got {hidden_dim}; choose a multiple of {math.lcm(heads, 4)}."
            )
        mask_dim = hidden_dim if mask_dim is None else mask_dim
        self.grid, self.language_weight = grid, language_weight
        self.pixel_decoder: PixelDecoder = (
            PyramidPixelDecoder(dims, hidden_dim, mask_dim)
            if pixel_decoder == "pyramid"
            else DeformablePixelDecoder(
                dims, hidden_dim, mask_dim, pixel_layers, heads, pixel_feedforward_dim
            )
        )
        self.regions = nn.Parameter(torch.randn(grid**2, hidden_dim))
        self.positions = nn.Parameter(torch.randn(grid**2, hidden_dim))
        self.level_positions = nn.Parameter(torch.randn(self.pixel_decoder.levels, hidden_dim))
        self.layers = nn.ModuleList(
            RegionLayer(hidden_dim, heads, feedforward_dim) for _ in range(layers)
        )
        # Words are silent at first: what is heard starts at 0.
        self.words = nn.Linear(word_dim, hidden_dim, bias=False)
        nn.init.zeros_(self.words.weight)
        self.listening = RegionAttention(hidden_dim, heads)
        self.loudness = nn.Parameter(torch.zeros(()))
        self.normalization = nn.LayerNorm(hidden_dim)
        self.mask_embedding = _mlp(hidden_dim, hidden_dim, hidden_dim, mask_dim)
        self.classifier = nn.Linear(hidden_dim, 2)  # of the minimap
        self.nothing = _mlp(hidden_dim, hidden_dim, 2) if no_target else None
        if self.nothing is not None:
            for parameter in self.nothing[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        dtype = self.classifier.weight.dtype
        pixels, levels = self.pixel_decoder(tuple(each.to(dtype) for each in fused))
        pixels = full_precision(pixels)
        regions = self.ask(pixels, levels, text)
        found = self.normalization(regions)
        minimap = _difference(_exact(self.classifier, found))
        meant = _product(minimap[:, None], _exact(self.mask_embedding, found))
        logits = _product(meant, pixels.flatten(2)).unflatten(2, pixels.shape[-2:])
        nothing = None if self.nothing is None else _exact(self.nothing, found).mean(1)
        return Output(
            self.enlarge(logits, size)[:, 0],
            None if nothing is None else _difference(nothing),
            {MINIMAP: minimap.unflatten(1, (self.grid, self.grid))},
        )

    def ask(
        self, pixels: Float[Tensor, " expressions mask_dim h w"], levels: Maps, text: TextFeatures
    ) -> Float[Tensor, " expressions regions hidden_dim"]:
        """What the regions know when they have looked at all levels and heard the words.

        Args:
            pixels: the vector of each fine pixel.
            levels: from coarse to fine.
            text: whose words are heard.
        """
        regions = self.regions.expand(pixels.shape[0], -1, -1)
        cells = [
            each.flatten(2).transpose(1, 2) + self.level_positions[number]
            for number, each in enumerate(levels)
        ]
        places = [self._places(each) for each in levels]
        smaller = [self.enlarge(pixels, (each.shape[-2], each.shape[-1])) for each in levels]
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, RegionLayer)
            level = number % len(levels)
            hidden = self.hidden(regions, smaller[level])
            regions = layer.look(regions, self.positions, cells[level], places[level], hidden)
            if number == 0:
                regions = regions + self.heard(regions, text)
            regions = layer.agree(regions, self.positions)
        return regions

    def hidden(
        self,
        regions: Float[Tensor, " expressions regions hidden_dim"],
        pixels: Float[Tensor, " expressions mask_dim h w"],
    ) -> Bool[Tensor, " expressions regions cells"]:
        """Which cells lie outside of the mask of each region, as it is now.

        Args:
            regions: what they know.
            pixels: at the size of a level.
        """
        embedding = self.mask_embedding(self.normalization(regions.detach()))
        return _product(embedding.detach(), pixels.detach().flatten(2)) < 0

    def heard(
        self, regions: Float[Tensor, " expressions regions hidden_dim"], text: TextFeatures
    ) -> Float[Tensor, " expressions regions hidden_dim"]:
        """What the words add to the regions."""
        padding = ~text.token_mask
        words = text.words.to(self.words.weight.dtype)
        words = self.words(words.masked_fill(padding[:, :, None], 0))  # 0 · NaN would be NaN
        heard = self.listening(regions, regions, words, words, padding[:, None])
        return self.language_weight * self.loudness.sigmoid() * heard

    def _places(self, level: Float[Tensor, " _ dim h w"]) -> Float[Tensor, " cells dim"]:
        dim, h, w = level.shape[1:]
        return sine_positions(h, w, dim, level.device).flatten(1).T.to(level.dtype)


def _mlp(*dims: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(dims):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _difference(logits: Float[Tensor, " *rows 2"]) -> Float[Tensor, " *rows"]:
    """The logit of the second of two classes."""
    return logits[..., 1] - logits[..., 0]


def _product(
    left: Float[Tensor, " expressions rows dim"], right: Float[Tensor, " expressions dim columns"]
) -> Float[Tensor, " expressions rows columns"]:
    """A matrix product in float32 at least, autocast or not."""
    with without_autocast(left.device):
        return full_precision(left) @ full_precision(right)


def _exact(
    layers: nn.Module, regions: Float[Tensor, " expressions regions dim"]
) -> Float[Tensor, " expressions regions _"]:
    """What linear layers make of regions in float32 at least, autocast or not."""
    weights = {name: full_precision(weight) for name, weight in layers.named_parameters()}
    with without_autocast(regions.device):
        return torch.func.functional_call(layers, weights, full_precision(regions))
