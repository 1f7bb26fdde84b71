"""Cross-attention: each cell of the image asks the words."""

from collections.abc import Sequence

from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.fusion.base import Fusion, finer_maps
from refseg.models.fusion.projection import VisualProjection
from refseg.types import Maps, TextFeatures


class CrossAttention(Fusion):
    """One layer of a transformer's decoder: cells are queries, words are keys and values.

    The plain baseline of most codes of today: x = LN(x + attention(x, words)), then
    x = LN(x + MLP(x)), with torch's own attention. Cells do not attend to each other. Padding is
    never attended.

    With several `levels` the cells of finer maps ask the words, too, each map with weights of its
    own. Then a decoder such as `PyramidDecoder` outlines what the words mean on maps that have
    heard them.

    Args:
        dims: channels of the maps, from fine to coarse; supplied by the backbone.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: not used: this fusion reads the words.
        hidden_dim: channels of the result.
        heads: of the attention; a divisor of `hidden_dim`.
        feedforward_dim: hidden width of the MLP; null: four times `hidden_dim`.
        dropout: probability, in attention and MLP.
        levels: coarsest maps whose cells ask the words; all, where there are fewer. The finer ones
            pass by.

    Raises:
        ConfigError: the width cannot be shared among the heads, or no map is to be fused.

    References:
        Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, https://arxiv.org/abs/1706.03762,
        section 3.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 256,
        heads: int = 8,
        feedforward_dim: int | None = None,
        dropout: float = 0.0,
        levels: int = 1,
    ) -> None:
        super().__init__()
        if hidden_dim % heads:
            raise ConfigError(
                f"Expected a hidden_dim that its {heads} heads can share, got {hidden_dim}; choose "
                "a multiple, or fewer heads."
            )
        if levels < 1:
            raise ConfigError(f"Expected at least one map to fuse, got levels {levels}.")
        self.finer: CrossAttention | None = None
        if levels > 1 and len(dims) > 1:
            options = hidden_dim, heads, feedforward_dim, dropout, levels - 1
            self.finer = CrossAttention(dims[:-1], word_dim, sentence_dim, *options)
        self.dims = (*(dims[:-1] if self.finer is None else self.finer.dims), hidden_dim)
        self.visual = VisualProjection(dims[-1], hidden_dim, normalize=False)
        self.attention = nn.MultiheadAttention(
            hidden_dim, heads, dropout, batch_first=True, kdim=word_dim, vdim=word_dim
        )
        self.attended = nn.LayerNorm(hidden_dim)
        inner = feedforward_dim or 4 * hidden_dim
        self.feedforward = nn.Sequential(
            nn.Linear(hidden_dim, inner),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(inner, hidden_dim),
        )
        self.finished = nn.LayerNorm(hidden_dim)
        self.dropout = dropout

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        dtype = self.finished.weight.dtype
        h, w = maps[-1].shape[-2:]
        seen = self.visual(maps[-1]).to(dtype).index_select(0, image_index)
        cells = seen.flatten(2).transpose(1, 2)
        padding = ~text.token_mask
        words = text.words.to(dtype).masked_fill(padding[:, :, None], 0)  # 0 · NaN would be NaN
        said, _ = self.attention(cells, words, words, key_padding_mask=padding, need_weights=False)
        cells = self.attended(cells + self._dropped(said))
        cells = self.finished(cells + self._dropped(self.feedforward(cells)))
        fused = cells.transpose(1, 2).unflatten(2, (h, w))
        if self.finer is None:
            return (*finer_maps(maps, image_index), fused)
        return (*self.finer(maps[:-1], text, image_index), fused)

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training) if self.dropout else values
