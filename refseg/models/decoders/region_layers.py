"""The steps that regions take in turn: look at the image, hear the words, look at each other."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from refseg.models.parameters import start_xavier_each


class RegionAttention(nn.Module):
    """Lets regions attend to something, and normalises the sum: LN(x + attention(x)).

    Args:
        dim: channels of regions, keys and values.
        heads: of the attention; a divisor of `dim`.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.normalization = nn.LayerNorm(dim)
        start_xavier_each(self.attention.children())

    def forward(
        self,
        regions: Float[Tensor, " expressions regions dim"],
        queries: Float[Tensor, " expressions regions dim"],
        keys: Float[Tensor, " expressions keys dim"],
        values: Float[Tensor, " expressions keys dim"],
        hidden: Bool[Tensor, " expressions _ keys"] | None = None,
    ) -> Float[Tensor, " expressions regions dim"]:
        """Attend to values by the likeness of queries and keys.

        Args:
            regions: what the result is added to.
            queries: of the regions.
            keys: what they are compared with.
            values: what they are given.
            hidden: True where a key is not attended: of each region, or of all alike. A region from
                which everything would be hidden attends to everything.
        """
        if hidden is not None:
            hidden = hidden & ~hidden.all(2, keepdim=True)
            hidden = hidden.expand(-1, regions.shape[1], -1).repeat_interleave(self.heads, 0)
        found, _ = self.attention(queries, keys, values, attn_mask=hidden, need_weights=False)
        return self.normalization(regions + found)


class RegionLayer(nn.Module):
    """Regions look at a map, then at each other, then an MLP follows.

    Args:
        dim: channels.
        heads: of both attentions; a divisor of `dim`.
        feedforward_dim: hidden width of the MLP.
    """

    def __init__(self, dim: int, heads: int, feedforward_dim: int) -> None:
        super().__init__()
        self.image = RegionAttention(dim, heads)
        self.regions = RegionAttention(dim, heads)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, feedforward_dim),
            nn.ReLU(inplace=True),
            nn.Linear(feedforward_dim, dim),
        )
        self.normalization = nn.LayerNorm(dim)
        start_xavier_each(self.feedforward)

    def look(
        self,
        regions: Float[Tensor, " expressions regions dim"],
        positions: Float[Tensor, " regions dim"],
        cells: Float[Tensor, " expressions cells dim"],
        cell_positions: Float[Tensor, " cells dim"],
        hidden: Bool[Tensor, " expressions regions cells"],
    ) -> Float[Tensor, " expressions regions dim"]:
        """Attend to the cells of a map that belong to a region, as far as it is known.

        Args:
            regions: what is known of them.
            positions: of the regions, added to queries.
            cells: of the map.
            cell_positions: added to keys.
            hidden: True where a cell is outside of a region.
        """
        return self.image(regions, regions + positions, cells + cell_positions, cells, hidden)

    def agree(
        self,
        regions: Float[Tensor, " expressions regions dim"],
        positions: Float[Tensor, " regions dim"],
    ) -> Float[Tensor, " expressions regions dim"]:
        """Attend to the other regions, then transform each by itself."""
        placed = regions + positions
        regions = self.regions(regions, placed, placed, regions)
        return self.normalization(regions + self.feedforward(regions))
