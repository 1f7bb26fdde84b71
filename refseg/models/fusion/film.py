"""FiLM: the sentence scales and shifts the channels of the image's map, in every cell alike."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.coordinates import coordinates
from refseg.models.fusion.base import Fusion, finer_maps, passed_dims
from refseg.types import Maps, TextFeatures

Normalization = Literal["group", "batch"]


class FilmBlock(nn.Module):
    """A residual block whose second convolution is modulated: gamma · norm(conv(x)) + beta.

    What comes before the modulation does not depend on the words (`before`), so that it is computed
    once for all expressions that share an input.

    Args:
        dim: channels of the result.
        input_dim: channels of the input, without those that are appended.
        extra_dim: channels that are appended to the input: coordinates.
        normalization: `group`: over all cells and channels of a map; `batch`: of each channel, over
            the whole batch while training.
    """

    def __init__(
        self, dim: int, input_dim: int, extra_dim: int, normalization: Normalization = "group"
    ) -> None:
        super().__init__()
        self.projection = nn.Conv2d(input_dim + extra_dim, dim, 1)
        self.convolution = nn.Conv2d(dim, dim, 3, padding=1)
        is_group = normalization == "group"
        self.normalization: nn.Module = (
            nn.GroupNorm(1, dim, affine=False) if is_group else nn.BatchNorm2d(dim, affine=False)
        )

    def before(
        self,
        maps: Float[Tensor, " rows input_dim h w"],
        extra: Float[Tensor, " rows extra_dim h w"],
    ) -> tuple[Float[Tensor, " rows dim h w"], Float[Tensor, " rows dim h w"]]:
        """The residual path, and what is to be modulated.

        Args:
            maps: of the block before.
            extra: appended to them.
        """
        kept = functional.relu(self.projection(torch.cat([maps, extra], dim=1)))
        return kept, self.normalization(self.convolution(kept))

    @staticmethod
    def modulated(
        kept: Float[Tensor, " expressions dim h w"],
        seen: Float[Tensor, " expressions dim h w"],
        gamma: Float[Tensor, " expressions dim"],
        beta: Float[Tensor, " expressions dim"],
    ) -> Float[Tensor, " expressions dim h w"]:
        """The result of the block.

        Args:
            kept: the residual path.
            seen: what is modulated.
            gamma: factor of each channel.
            beta: summand of each channel.
        """
        return kept + functional.relu(gamma[:, :, None, None] * seen + beta[:, :, None, None])


class FilmFusion(Fusion):
    """Residual blocks, each of which the sentence modulates channel by channel.

    The cheapest fusion in which words multiply what is seen: `ConcatFusion` can only add. The
    first block's convolutions are computed once per image.

    Unlike the original, the factors are 1 + a linear layer of the sentence that starts near 0, the
    coordinates are the eight of the other fusions, and maps are normalised by themselves: what an
    expression is given does not depend on the batch that it is trained in.

    Args:
        dims: channels of the maps, of which the coarsest is fused; supplied by the backbone.
        word_dim: not used: this fusion reads the sentence only.
        sentence_dim: length of the sentence vector; supplied by the text encoder.
        hidden_dim: channels of the result; 128 in the paper.
        blocks: number of residual blocks; 4 in the paper.
        normalization: `group`, or `batch` as in the paper.

    References:
        Perez et al., *FiLM: Visual Reasoning with a General Conditioning Layer*, AAAI 2018,
        https://arxiv.org/abs/1709.07871, section 3; as a decoder of masks: Lüddecke and Ecker,
        *Image Segmentation Using Text and Image Prompts* (CLIPSeg), CVPR 2022.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
        sentence_dim: int,
        hidden_dim: int = 128,
        blocks: int = 4,
        normalization: Normalization = "group",
    ) -> None:
        super().__init__()
        self.dims = passed_dims(dims, hidden_dim)
        widths = [dims[-1], *[hidden_dim] * (blocks - 1)]
        self.blocks = nn.ModuleList(
            FilmBlock(hidden_dim, width, 8, normalization) for width in widths
        )
        self.modulation = nn.Linear(sentence_dim, 2 * hidden_dim * blocks)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, maps: Maps, text: TextFeatures, image_index: Int64[Tensor, " expressions"]
    ) -> Maps:
        """Fuse each expression with the image that it looks at."""
        dtype = self.modulation.weight.dtype
        current = maps[-1].to(dtype)
        modulation = self.modulation(text.sentence.to(dtype)).chunk(2 * len(self.blocks), dim=1)
        h, w = current.shape[-2:]
        where = coordinates(h, w, current.device).to(dtype)
        for number, block in enumerate(self.blocks):
            assert isinstance(block, FilmBlock)
            kept, seen = block.before(current, where.expand(current.shape[0], -1, -1, -1))
            if number == 0:
                # index_select, since the gradient of indexing depends on the order of the threads
                kept, seen = kept.index_select(0, image_index), seen.index_select(0, image_index)
            change, beta = modulation[2 * number : 2 * number + 2]
            current = block.modulated(kept, seen, 1 + change, beta)
        return (*finer_maps(maps, image_index), current)
