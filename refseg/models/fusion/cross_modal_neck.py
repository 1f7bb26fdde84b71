"""The cross-modal neck of CRIS: maps of several strides and the sentence, merged into one map."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.pyramid import convolution
from refseg.precision import full_precision, in_full_precision
from refseg.types import Maps


class CrossModalNeck(nn.Module):
    """Lets the sentence weigh the channels of the coarsest map, and merges the finer ones into it.

    The coarsest map is multiplied by the sentence, channel by channel. From there each finer map is
    joined with what has been made so far, all that came of it is put side by side, and two
    convolutions follow, the first of which sees where each cell lies. The result has the size of
    the second coarsest map: finer ones are averaged to it. With a single map, it has that map's.

    What the words do not change is computed once per image. In training, its batch normalisation
    therefore averages over images, where CRIS, which computes every image once per sentence, counts
    an image as often as it is asked about; with one expression per image both are the same.

    Args:
        dims: channels of the maps, from fine to coarse.
        sentence_dim: length of the sentence vector.
        hidden_dim: channels of the result; 512 in the paper.
        fine_dim: channels that maps finer than the result are brought to; 256 in the paper.
        coarse_dim: channels in which the sentence is multiplied; 1024 in the paper.

    References:
        Wang et al., *CRIS: CLIP-Driven Referring Image Segmentation*, CVPR 2022,
        https://arxiv.org/abs/2111.15174, section 3.1.
    """

    def __init__(
        self,
        dims: Sequence[int],
        sentence_dim: int,
        hidden_dim: int,
        fine_dim: int,
        coarse_dim: int,
    ) -> None:
        super().__init__()
        self.sentence = nn.Sequential(
            nn.Linear(sentence_dim, coarse_dim, bias=False),
            SentenceNorm(coarse_dim),
            nn.ReLU(inplace=True),
        )
        self.coarsest = convolution(dims[-1], coarse_dim, kernel=1)
        self.multiplied = nn.Sequential(nn.BatchNorm2d(coarse_dim), nn.ReLU(inplace=True))
        # For each map but the coarsest, from coarse to fine:
        finer = [hidden_dim, *[fine_dim] * len(dims)][: len(dims) - 1]
        before = [coarse_dim, *[hidden_dim] * len(dims)]
        self.laterals = nn.ModuleList(
            convolution(dim, width) for dim, width in zip(reversed(dims[:-1]), finer, strict=True)
        )
        self.merges = nn.ModuleList(
            convolution(width + joined, hidden_dim, kernel=1)
            for width, joined in zip(finer, before, strict=False)
        )
        # And for all of them:
        self.outputs = nn.ModuleList(convolution(dim, hidden_dim) for dim in before[: len(dims)])
        self.aggregation = convolution(len(dims) * hidden_dim, hidden_dim, kernel=1)
        self.located = LocatedConvolution(hidden_dim, hidden_dim)
        self.smoothing = convolution(hidden_dim, hidden_dim)

    def forward(
        self,
        maps: Maps,
        sentence: Float[Tensor, " expressions sentence_dim"],
        image_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions hidden_dim h w"]:
        """Merge the maps with the sentences.

        Args:
            maps: from fine to coarse, a row per image or per expression.
            sentence: one vector per expression.
            image_index: which row of the maps each expression looks at.
        """
        height, width = maps[-2 if len(maps) > 1 else -1].shape[-2:]
        size = (height, width)
        channels = self.sentence(sentence)[:, :, None, None]
        # index_select, since the gradient of indexing depends on the order of the threads
        coarsest = self.coarsest(maps[-1]).index_select(0, image_index)
        merged = [self.multiplied(coarsest * channels)]
        for lateral, merge, each in zip(
            self.laterals, self.merges, reversed(maps[:-1]), strict=True
        ):
            seen = resized(lateral(each), size).index_select(0, image_index)
            merged.append(merge(torch.cat([seen, resized(merged[-1], size)], dim=1)))
        found = [
            resized(output(each), size) for output, each in zip(self.outputs, merged, strict=True)
        ]
        fused = self.aggregation(torch.cat(found[::-1], dim=1))
        return self.smoothing(self.located(fused))


class SentenceNorm(nn.BatchNorm1d):
    """Batch normalisation of sentences that takes a single one in training.

    A batch of one has no variance. It is normalised by the running statistics, which it leaves as
    they are. (Between several processes, `SyncBatchNorm` takes the place of this.)
    """

    def forward(
        self, input: Float[Tensor, " expressions dim"]
    ) -> Float[Tensor, " expressions dim"]:
        """Normalise each channel over the sentences of a batch."""
        if self.training and len(input) == 1:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


class LocatedConvolution(nn.Module):
    """A 3×3 convolution that sees where each cell lies, with batch normalisation and ReLU.

    Two channels are appended to its input, x and y from -1 to 1, in the first and in the last
    column or row of cells.

    Args:
        inputs: channels of the map.
        outputs: channels of the result.

    References:
        Liu et al., *An Intriguing Failing of Convolutional Neural Networks and the CoordConv
        Solution*, NeurIPS 2018, https://arxiv.org/abs/1807.03247, section 3.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs + 2, outputs, 3, padding=1, bias=False)
        self.normalization = nn.BatchNorm2d(outputs)

    def forward(self, maps: Float[Tensor, " n inputs h w"]) -> Float[Tensor, " n outputs h w"]:
        """Convolve a map and the positions of its cells."""
        n, _, h, w = maps.shape
        seen = full_precision(maps)
        y, x = torch.meshgrid(
            *(
                torch.linspace(-1, 1, cells, dtype=seen.dtype, device=seen.device)
                for cells in (h, w)
            ),
            indexing="ij",
        )
        located = torch.cat([seen, torch.stack([x, y]).expand(n, -1, -1, -1)], dim=1)
        convolved = in_full_precision(self.convolution, located).to(maps.dtype)
        return functional.relu(self.normalization(convolved))


def resized(
    maps: Float[Tensor, " n dim _ _"], size: tuple[int, int]
) -> Float[Tensor, " n dim h w"]:
    """A map on another grid: the mean of finer cells, or bilinear between coarser ones.

    Args:
        maps: each cell of one grid is a whole number of cells of the other, but for the last.
        size: (height, width) of the grid.

    Example:
        >>> resized(torch.tensor([[[[1.0, 3.0, 5.0]]]]), (1, 2))
        tensor([[[[2., 5.]]]])
    """
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    steps = [-(-have // wanted) for have, wanted in zip(maps.shape[-2:], size, strict=True)]
    if max(steps) > 1:
        return functional.avg_pool2d(maps, steps, ceil_mode=True, count_include_pad=False)
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
