"""Attention of every cell to a few places of several maps, which it chooses itself."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.parameters import start_xavier_each
from refseg.precision import full_precision


class DeformableAttention(nn.Module):
    """Each query looks at a few points of each map, near where it lies.

    Points and their weights are linear functions of the query, hence the cost grows with the number
    of cells and not with its square. Between cells a map is interpolated bilinearly; beyond its
    border it is 0. Points are computed and read in float32 at least: they are positions.

    Args:
        dim: channels of queries and maps.
        levels: number of maps.
        heads: of the attention, each with points of its own; a divisor of `dim`.
        points: per head and map.

    References:
        Zhu et al., *Deformable DETR: Deformable Transformers for End-to-End Object Detection*, ICLR
        2021, https://arxiv.org/abs/2010.04159, section 4.1.
    """

    def __init__(self, dim: int, levels: int, heads: int = 8, points: int = 4) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.offsets = nn.Linear(dim, heads * levels * points * 2)
        self.weights = nn.Linear(dim, heads * levels * points)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Start with equal weights, and points on rays around the query: a direction per head."""
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        rays = torch.stack([angles.cos(), angles.sin()], dim=1)
        rays = rays / rays.abs().amax(1, keepdim=True)
        distances = torch.arange(1.0, self.points + 1)
        points = rays[:, None, None] * distances[:, None]
        self.offsets.bias.copy_(points.expand(-1, self.levels, -1, -1).flatten())
        for layer in (self.offsets, self.weights):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.weights.bias)
        for layer in (self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        queries: Float[Tensor, " expressions queries dim"],
        cells: Float[Tensor, " expressions cells dim"],
        places: Float[Tensor, " _ queries _ 2"],
        sizes: Sequence[tuple[int, int]],
    ) -> Float[Tensor, " expressions queries dim"]:
        """Let each query read the maps around its place.

        Args:
            queries: of each expression.
            cells: of all maps, one map after the other, row by row.
            places: of the queries on each map (or one for all maps), of each expression (or one for
                all): x and y in [0, 1], from the upper left corner of the image.
            sizes: rows and columns of the maps.
        """
        spread = self.heads, self.levels, self.points
        offsets = full_precision(self.offsets(queries)).unflatten(2, (*spread, 2))
        scores = full_precision(self.weights(queries)).unflatten(2, (self.heads, -1))
        weights = scores.softmax(dim=3).unflatten(3, spread[1:])
        values = full_precision(self.value(cells)).unflatten(2, (self.heads, -1))
        maps = values.split([h * w for h, w in sizes], dim=1)
        places = places.to(offsets.dtype)[:, :, None].expand(-1, -1, -1, self.levels, -1)
        read: Tensor | None = None
        for level, (h, w) in enumerate(sizes):
            steps = offsets[:, :, :, level] / offsets.new_tensor([w, h])
            points = places[:, :, :, level, None] + steps
            each = functional.grid_sample(
                maps[level].permute(0, 2, 3, 1).flatten(0, 1).unflatten(2, (h, w)),
                (2 * points - 1).transpose(1, 2).flatten(0, 1),
                mode="bilinear",
                padding_mode="zeros",
                align_corners=False,
            )  # [expressions·heads, dim of a head, queries, points]
            weighted = each * weights[:, :, :, level].transpose(1, 2).flatten(0, 1)[:, None]
            read = weighted.sum(3) if read is None else read + weighted.sum(3)
        assert read is not None
        joined = read.unflatten(0, (queries.shape[0], self.heads)).flatten(1, 2).transpose(1, 2)
        return self.output(joined.to(queries.dtype))


class DeformableLayer(nn.Module):
    """A layer of a transformer's encoder with deformable attention: LN(x + ...), twice.

    Args:
        dim: channels of the cells.
        levels: number of maps.
        heads: of the attention.
        feedforward_dim: hidden width of the MLP.
        points: of the attention, per head and map.
    """

    def __init__(
        self, dim: int, levels: int, heads: int, feedforward_dim: int, points: int = 4
    ) -> None:
        super().__init__()
        self.attention = DeformableAttention(dim, levels, heads, points)
        self.attended = nn.LayerNorm(dim)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, feedforward_dim),
            nn.ReLU(inplace=True),
            nn.Linear(feedforward_dim, dim),
        )
        self.finished = nn.LayerNorm(dim)
        start_xavier_each(self.feedforward)

    def forward(
        self,
        cells: Float[Tensor, " expressions cells dim"],
        positions: Float[Tensor, " cells dim"],
        places: Float[Tensor, " _ cells _ 2"],
        sizes: Sequence[tuple[int, int]],
    ) -> Float[Tensor, " expressions cells dim"]:
        """Let all cells of all maps read each other.

        Args:
            cells: of all maps, one map after the other, row by row.
            positions: added to the cells where they are queries.
            places: of the cells, as in `DeformableAttention`.
            sizes: rows and columns of the maps.
        """
        read = self.attention(cells + positions, cells, places, sizes)
        cells = self.attended(cells + read)
        return self.finished(cells + self.feedforward(cells))
