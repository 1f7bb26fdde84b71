"""CRIS's fusion: a cross-modal neck, then a transformer in which pixels ask pixels and words."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.fusion.base import Fusion
from refseg.models.fusion.cross_modal_neck import CrossModalNeck
from refseg.types import Maps, TextFeatures


class CrossModalTransformer(Fusion):
    """The cross-modal neck and the vision-language decoder of CRIS.

    The neck merges the coarsest maps with the sentence into one (`CrossModalNeck`). In each of the
    layers that follow, its cells ask each other, then the words, then an MLP (`CrossModalLayer`).

    The result lies on the grid of the second coarsest of the merged maps, stride 16 in CRIS, or of
    the only one. Maps that are finer than all that are merged pass by. Padding is never attended;
    in CRIS it is, where the id of padding, 0, is that of a word ("!" is 0).

    Unlike in CRIS, words of another width than `hidden_dim` are projected to it.

    Args:
        dims: channels of the maps, from fine to coarse; supplied by the backbone.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        hidden_dim: channels of the result; a multiple of 4, for the positions. 512 in the paper.
        fine_dim: of the neck; none: half of `hidden_dim`, as in the paper.
        coarse_dim: of the neck; none: twice `hidden_dim`, as in the paper.
        levels: coarsest maps that are merged, 3 in the paper; all, where there are fewer.
        layers: of the transformer; 3 in the paper.
        heads: of each attention; a divisor of `hidden_dim`, 8 in the paper.
        feedforward_dim: hidden width of the MLP; none: four times `hidden_dim`, as in the paper.
        dropout: probability, of attention, MLP and what each adds; 0.1 in the paper.

    Raises:
        ConfigError: the width cannot be shared among the heads, or there is nothing to merge.

    References:
        Wang et al., *CRIS: CLIP-Driven Referring Image Segmentation*, CVPR 2022,
        https://arxiv.org/abs/2111.15174, sections 3.1 and 3.2.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 512,
        fine_dim: int | None = None,
        coarse_dim: int | None = None,
        levels: int = 3,
        layers: int = 3,
        heads: int = 8,
        feedforward_dim: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if hidden_dim % heads or hidden_dim % 4:
            raise ConfigError(
                f"Expected a hidden_dim that its {heads} heads can share and that is a multiple of "
                f"4, got {hidden_dim}; choose another, or fewer heads."
            )
        if levels < 1:
            raise ConfigError(f"Expected at least one map to merge, got levels {levels}.")
        self.levels = min(levels, len(dims))
        passed, merged = dims[: -self.levels], dims[-self.levels :]
        self.dims = (*passed, hidden_dim)
        widths = fine_dim or hidden_dim // 2, coarse_dim or 2 * hidden_dim
        self.neck = CrossModalNeck(merged, sentence_dim, hidden_dim, *widths)
        self.words: nn.Module = (
            nn.Identity() if word_dim == hidden_dim else nn.Linear(word_dim, hidden_dim)
        )
        inner = feedforward_dim or 4 * hidden_dim
        self.layers = nn.ModuleList(
            CrossModalLayer(hidden_dim, heads, inner, dropout) for _ in range(layers)
        )
        self.normalization = nn.LayerNorm(hidden_dim)

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        dtype = self.normalization.weight.dtype
        given = tuple(each.to(dtype) for each in maps[-self.levels :])
        seen = self.neck(given, text.sentence.to(dtype), image_index)
        padding = ~text.token_mask
        said = text.words.to(dtype).masked_fill(padding[:, :, None], 0)  # 0 · NaN would be NaN
        fused = self.attend(seen, self.words(said), text.token_mask)
        passed = tuple(each.index_select(0, image_index) for each in maps[: -self.levels])
        return (*passed, fused)

    def attend(
        self,
        seen: Float[Tensor, " expressions hidden_dim h w"],
        words: Float[Tensor, " expressions words hidden_dim"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> Float[Tensor, " expressions hidden_dim h w"]:
        """Apply the layers, and the normalisation after them.

        Args:
            seen: of the neck.
            words: of the width of the cells.
            token_mask: True at a word.
        """
        dim, h, w = seen.shape[1:]
        padding = ~token_mask
        padding[:, 0] = False  # attention over nothing is not a number
        where = grid_positions(dim, h, w, seen.device).flatten(1).T.to(words.dtype)
        order = sine_positions(dim, words.shape[1], words.device).to(words.dtype)
        cells = seen.flatten(2).transpose(1, 2)
        for layer in self.layers:
            cells = layer(cells, words, where, order, padding)
        return self.normalization(cells).transpose(1, 2).unflatten(2, (h, w))


class CrossModalLayer(nn.Module):
    """Cells ask each other, then the words, then an MLP; what each says is normalised and added.

    Besides the usual normalisation before each of the three, what an attention says is normalised
    before it is added, and the MLP has one after its ReLU.

    Args:
        dim: channels of cells and words.
        heads: of each attention.
        inner_dim: hidden width of the MLP.
        dropout: probability.
    """

    def __init__(self, dim: int, heads: int, inner_dim: int, dropout: float) -> None:
        super().__init__()
        self.before_cells = nn.LayerNorm(dim)
        self.cells = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.after_cells = nn.LayerNorm(dim)
        self.before_words = nn.LayerNorm(dim)
        self.words = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.after_words = nn.LayerNorm(dim)
        self.before_feedforward = nn.LayerNorm(dim)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, inner_dim),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.LayerNorm(inner_dim),
            nn.Linear(inner_dim, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        cells: Float[Tensor, " expressions cells dim"],
        words: Float[Tensor, " expressions words dim"],
        where: Float[Tensor, " cells dim"],
        order: Float[Tensor, " words dim"],
        padding: Bool[Tensor, " expressions words"],
    ) -> Float[Tensor, " expressions cells dim"]:
        """Answer with the cells after this layer.

        Args:
            cells: of the map.
            words: whose vectors are the values of the attention, as they are.
            where: positions of the cells, added to queries and keys.
            order: positions of the words, added to keys.
            padding: True where no word is.
        """
        asked = self.before_cells(cells)
        placed = asked + where
        said, _ = self.cells(placed, placed, asked, need_weights=False)
        cells = cells + self.dropout(self.after_cells(said))
        said, _ = self.words(
            self.before_words(cells) + where,
            words + order,
            words,
            key_padding_mask=padding,
            need_weights=False,
        )
        cells = cells + self.dropout(self.after_words(said))
        return cells + self.dropout(self.feedforward(self.before_feedforward(cells)))


def sine_positions(
    dim: int, length: int | torch.SymInt, device: torch.device | None = None
) -> Float[Tensor, " length dim"]:
    """Sines and cosines in turn, of frequencies from 1 down to 1/10000.

    Args:
        dim: an even number of channels.
        length: of the sequence.
        device: where they are made.

    References:
        Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, https://arxiv.org/abs/1706.03762,
        section 3.5.
    """
    frequencies = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10000.0) / dim))
    angles = torch.arange(length, device=device)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def grid_positions(
    dim: int, h: int, w: int, device: torch.device | None = None
) -> Float[Tensor, " dim h w"]:
    """Sine positions of the column in the first half of the channels, of the row in the second.

    Args:
        dim: a multiple of 4.
        h: rows.
        w: columns.
        device: where they are made.
    """
    columns = sine_positions(dim // 2, w, device).T[:, None, :].expand(-1, h, -1)
    rows = sine_positions(dim // 2, h, device).T[:, :, None].expand(-1, -1, w)
    return torch.cat([columns, rows])
