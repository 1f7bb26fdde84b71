"""The fusion of LAVT: after each stage of the backbone, every cell asks the words."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.errors import ConfigError
from refseg.models.backbones.base import Backbone
from refseg.models.fusion.base import Fusion
from refseg.precision import full_precision
from refseg.types import Maps, TextFeatures


class PixelWordAttention(nn.Module):
    """What the words say to each cell, times what the cell shows.

    With x the cells of a map and l the words, IN an instance normalisation over the cells:

        q = IN(Wq x),  k = Wk l,  v = Wv l
        o = IN(Wo softmax(q k / sqrt(dim)) v)
        f = GELU(Wm (GELU(Wx x) · o))

    Args:
        dim: channels of the map.
        word_dim: length of the vector of a word.
        heads: of the attention; scores are divided by the root of all channels with several, too.
        dropout: probability, after both GELUs.

    References:
        Yang et al., *LAVT: Language-Aware Vision Transformer for Referring Image Segmentation*,
        CVPR 2022, https://arxiv.org/abs/2112.02244, section 3.2.
    """

    def __init__(self, dim: int, word_dim: int, heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.scale = heads, dim**-0.5
        self.query, self.seen = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.key, self.value = nn.Linear(word_dim, dim), nn.Linear(word_dim, dim)
        self.attended, self.mixed = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        cells: Float[Tensor, " expressions cells dim"],
        words: Float[Tensor, " expressions words word_dim"],
        token_mask: Bool[Tensor, " expressions words"],
    ) -> Float[Tensor, " expressions cells dim"]:
        """Let every cell attend to the words of its expression.

        Args:
            cells: of the map, row by row.
            words: padded; what stands at padding is not attended.
            token_mask: True at a word.
        """
        words = words.masked_fill(~token_mask[:, :, None], 0)  # 0 · NaN would be NaN
        query = self._split(_normalized(self.query(cells)))
        key, value = self._split(self.key(words)), self._split(self.value(words))
        scores = full_precision(self.scale * query @ key.transpose(2, 3))
        scores = scores.masked_fill(~token_mask[:, None, None], -torch.inf)
        said = (scores.softmax(dim=-1).to(value.dtype) @ value).transpose(1, 2).flatten(2)
        said = _normalized(self.attended(said))
        seen = self.dropout(functional.gelu(self.seen(cells)))
        return self.dropout(functional.gelu(self.mixed(seen * said)))

    def _split(
        self, vectors: Float[Tensor, " expressions _ dim"]
    ) -> Float[Tensor, " expressions heads _ _"]:
        return vectors.unflatten(2, (self.heads, -1)).transpose(1, 2)


class LanguageGate(nn.Module):
    """How much of what the words say goes on to the next stage, per cell and channel.

    It starts nearly closed, with weights around 0 as those of the Swin, so that pretrained stages
    are first shown what they know.

    Args:
        dim: channels of the map.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hidden, self.gate = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        for layer in (self.hidden, self.gate):
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, fused: Float[Tensor, " *rows dim"]) -> Float[Tensor, " *rows dim"]:
        """The part of fused cells that is added to those of the backbone."""
        return self.gate(self.hidden(fused).relu()).tanh() * fused


class LanguageAwareFusion(Fusion):
    """Words are heard inside the backbone: pixel-word attention and a gate after each stage.

    The neck is given what the attention makes of a stage, normalised; the next stage is shown the
    stage's own map, to which the gate adds some of it. From the first site on everything is
    computed per expression.

    Unlike the original:

    * a sentence of one word is heard. Attention over one word is the same in every cell, and the
      instance normalisation after it leaves nothing: so the sentence's vector is attended as one
      more word (`sentence_token`);
    * the last stage has no gate, which would feed nothing and never learn.

    ReLA has the same fusion, but both layers of its gates start at 0 and have no bias, so that
    their gradients are 0 for ever: no words ever reach the next stage there. Here gates start
    near 0 and learn, in ReLA, too.

    Args:
        dims: channels of the neck's maps; supplied by the backbone.
        word_dim: length of the vector of a word; supplied by the text encoder.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        stages: after which it speaks, by their numbers from 0. null: all the stages of a backbone
            whose neck gives each stage's map as it is.
        heads: of the attention: one number for all stages, or one for each.
        dropout: probability, in the attention.
        sentence_token: attend the sentence's vector as one more word.

    Raises:
        ConfigError: there is another number of heads than of stages.

    References:
        Yang et al., *LAVT: Language-Aware Vision Transformer for Referring Image Segmentation*,
        CVPR 2022, https://arxiv.org/abs/2112.02244, sections 3.1 to 3.3.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        stages: Sequence[int] | None = None,
        heads: int | Sequence[int] = 1,
        dropout: float = 0.0,
        sentence_token: bool = True,
    ) -> None:
        super().__init__()
        self.dims, self.word_dim, self.dropout = tuple(dims), word_dim, dropout
        self.sites = tuple(range(len(dims))) if stages is None else tuple(sorted(set(stages)))
        self.heads = [heads] * len(self.sites) if isinstance(heads, int) else list(heads)
        if len(self.heads) != len(self.sites):
            raise ConfigError(
                f"Expected a number of heads for each of {len(self.sites)} stages, got "
                f"{len(self.heads)}; give one number for all, or one for each."
            )
        self.attention, self.gate, self.normalization = (nn.ModuleDict() for _ in range(3))
        if stages is None:
            self._add_stages(dims)
        self.sentence = nn.Linear(sentence_dim, word_dim) if sentence_token else None

    def initialize_from(self, backbone: Backbone) -> None:
        """Take the widths of the stages, unless they are those of the neck's maps."""
        if not self.attention:
            widths = backbone.stage_dims()
            self._add_stages([widths[site] for site in self.sites])

    def _add_stages(self, widths: Sequence[int]) -> None:
        for site, dim, heads in zip(self.sites, widths, self.heads, strict=True):
            stage = str(site)
            self.attention[stage] = PixelWordAttention(dim, self.word_dim, heads, self.dropout)
            self.normalization[stage] = nn.LayerNorm(dim)
            if site != self.sites[-1]:
                self.gate[stage] = LanguageGate(dim)

    def at_stage(
        self, stage: int, seen: Float[Tensor, " expressions _ h w"], text: TextFeatures
    ) -> tuple[Float[Tensor, " expressions _ h w"], Float[Tensor, " expressions _ h w"]]:
        """Fuse the words with a stage's map.

        Args:
            stage: one of `sites`.
            seen: the stage's map, a row per expression.
            text: what is said.
        """
        name = str(stage)
        words, token_mask = self._words(text)
        cells = seen.flatten(2).transpose(1, 2)
        fused = self.attention[name](cells, words, token_mask)
        kept = self.normalization[name](fused).transpose(1, 2).unflatten(2, seen.shape[-2:])
        if name not in self.gate:
            return kept, seen
        shown = cells + self.gate[name](fused)
        return kept, shown.transpose(1, 2).unflatten(2, seen.shape[-2:])

    def _words(self, text: TextFeatures) -> tuple[Tensor, Tensor]:
        """The words, in the type of the weights, and the sentence behind them."""
        dtype = next(self.parameters()).dtype
        words = text.words.to(dtype)
        if self.sentence is None:
            return words, text.token_mask
        sentence = self.sentence(text.sentence.to(dtype))[:, None]
        always = torch.ones_like(text.token_mask[:, :1])
        return torch.cat([words, sentence], 1), torch.cat([text.token_mask, always], 1)

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Hand on the maps, into which the words have gone already."""
        return tuple(each.index_select(0, image_index) for each in maps)


def _normalized(
    cells: Float[Tensor, " expressions cells dim"],
) -> Float[Tensor, " expressions cells dim"]:
    """Each channel with mean 0 and variance 1 over the cells, in float32."""
    exact = full_precision(cells).transpose(1, 2)
    if exact.shape[2] == 1:  # one cell: its deviation from the mean
        return torch.zeros_like(cells)
    return functional.instance_norm(exact, eps=1e-5).transpose(1, 2).to(cells.dtype)
