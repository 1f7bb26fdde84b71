"""Words at every scale: on each map, the sentence scales channels and the cells ask the words."""

from collections.abc import Sequence

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.fusion.base import Fusion
from refseg.models.fusion.pixel_word_attention import PixelWordAttention
from refseg.models.fusion.projection import VisualProjection
from refseg.types import Maps, TextFeatures


class PyramidFusion(Fusion):
    """Words at every scale, after the backbone, which thus sees an image once.

    On each map, with x its cells and their coordinates, s the sentence and l the words:

        y = LayerNorm(ReLU((1 + g(s)) x + b(s)) + attention(x, l))

    The first part is FiLM's, the attention that of LAVT, in which words multiply what is seen
    (`PixelWordAttention`). Unlike `LanguageAwareFusion` it speaks after the backbone and not inside
    of it. Made for few photographs and a frozen backbone; it is no published system.

    Args:
        dims: channels of the maps; supplied by the backbone.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        hidden_dim: channels of each result.
        heads: of the attention; a divisor of `hidden_dim`.
        dropout: probability, in the attention and after it.

    Raises:
        ConfigError: the width cannot be shared among the heads.

    References:
        Perez et al. (FiLM), AAAI 2018, https://arxiv.org/abs/1709.07871, section 2; Yang et al.
        (LAVT), CVPR 2022, https://arxiv.org/abs/2112.02244, section 3.2.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 64,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hidden_dim % heads:
            raise ConfigError(
                f"Expected a hidden_dim that its {heads} heads can share, got {hidden_dim}; choose "
                "a multiple, or fewer heads."
            )
        self.dims = (hidden_dim,) * len(dims)
        self.levels = nn.ModuleList(
            _Level(dim, word_dim, sentence_dim, hidden_dim, heads, dropout) for dim in dims
        )

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        return tuple(
            level(each, text, image_index) for level, each in zip(self.levels, maps, strict=True)
        )


class _Level(nn.Module):
    """The fusion on one map."""

    def __init__(
        self,
        dim: int,
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.visual = VisualProjection(dim, hidden_dim, normalize=False)
        self.modulation = nn.Linear(sentence_dim, 2 * hidden_dim)
        self.attention = PixelWordAttention(hidden_dim, word_dim, heads, dropout)
        self.finished = nn.LayerNorm(hidden_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        seen: Float[Tensor, " images dim h w"],
        text: TextFeatures,
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions hidden_dim h w"]:
        dtype = self.finished.weight.dtype
        # index_select, since the gradient of indexing depends on the order of the threads
        cells = self.visual(seen).to(dtype).flatten(2).transpose(1, 2).index_select(0, image_index)
        change, summand = self.modulation(text.sentence.to(dtype))[:, None].chunk(2, dim=2)
        said = self.attention(cells, text.words.to(dtype), text.token_mask)
        modulated = functional.relu((1 + change) * cells + summand)
        fused = self.finished(modulated + self.dropout(said))
        return fused.transpose(1, 2).unflatten(2, seen.shape[-2:])
