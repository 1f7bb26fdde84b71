"""From fused maps to one logit per pixel."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.backbones.pyramid import convolution
from refseg.models.parameters import start_normal, start_xavier
from refseg.precision import full_precision, in_full_precision
from refseg.types import Maps, Output, TextFeatures


class Decoder(nn.Module, ABC):
    """Turns fused maps into logits in network size; built from `(dims, sentence_dim)`.

    A decoder is given the widths of the fusion's maps, from fine to coarse, and of the sentence.

    The logits are float32 (float64, if the weights are) in any precision of the trainer, and so is
    what is between the classifier and them: loss, prediction and score depend on their last bits.
    What is fused may be float32 where weights are not; `in_full_precision` takes both.
    """

    @abstractmethod
    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels.

        Args:
            fused: of the fusion, a row per expression.
            text: of the text encoder, for decoders that listen as well.
            size: of the logits.
        """

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the coarsest map, as LSTM-CNN's first stage trains on."""
        h, w = fused[-1].shape[-2:]
        return self(fused, text, (h, w)).logits

    def enlarge(
        self, maps: Float[Tensor, " n dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " n dim height width"]:
        """Bring any map to `size`, with each cell where the decoder takes it to lie."""
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


class BilinearDecoder(Decoder):
    """One logit per cell by a 1×1 convolution, then bilinear upsampling.

    Args:
        dims: channels of the fused maps, of which the coarsest is decoded; supplied by the fusion.
        sentence_dim: not used: this decoder does not listen.
        dropout: share of the fused channels dropped in training; 0 in both papers.
        grid: where the logit of a cell lies: `centred` in the cell, or, as in RMI's code, `legacy`,
            on its upper left pixel (`legacy_upsample`), where RMI's training takes its target.
        initialization: of the classifier: `torch`, or `xavier` as in RMI's code, uniform by
            Glorot's rule with a bias of 0.
    """

    def __init__(
        self,
        dims: Sequence[int],
        sentence_dim: int,
        dropout: float = 0.0,
        grid: Literal["centred", "legacy"] = "centred",
        initialization: Literal["torch", "xavier"] = "torch",
    ) -> None:
        super().__init__()
        self.grid = grid
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv2d(dims[-1], 1, 1)
        if initialization == "xavier":
            start_xavier([self.classifier.weight], [self.classifier.bias])

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.cell_logits(fused, text)[:, None]
        return Output(self.enlarge(logits, size)[:, 0])

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the coarsest map."""
        return in_full_precision(self.classifier, self.dropout(fused[-1]))[:, 0]

    def enlarge(
        self, maps: Float[Tensor, " n dim h w"], size: tuple[int, int]
    ) -> Float[Tensor, " n dim height width"]:
        """Bring any map to `size`, on this decoder's grid."""
        if self.grid == "legacy":
            return legacy_upsample(maps, size)
        return super().enlarge(maps, size)


class PyramidDecoder(Decoder):
    """Outlines what was found in coarse cells on finer maps, then one logit per fine cell.

    The fusion says where the object is, in coarse cells; the finer maps, which it lets pass by,
    show edges. From coarse to fine: enlarge, add the finer map at the same width, convolve. The
    result is enlarged bilinearly from the finest map.

    Args:
        dims: channels of the fused maps, from fine to coarse; supplied by the fusion.
        sentence_dim: not used: this decoder does not listen.
        hidden_dim: channels that all maps are brought to.

    References:
        Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017,
        https://arxiv.org/abs/1612.03144, section 3, here with a convolution after each addition.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4))
        >>> PyramidDecoder((3, 5), 1, hidden_dim=4)(maps, text, (16, 16)).logits.shape
        torch.Size([2, 16, 16])
    """

    def __init__(self, dims: Sequence[int], sentence_dim: int, hidden_dim: int = 32) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(dim, hidden_dim, 1) for dim in dims)
        self.smoothing = nn.ModuleList(convolution(hidden_dim, hidden_dim) for _ in dims)
        self.classifier = nn.Conv2d(hidden_dim, 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        merged: Tensor | None = None
        for lateral, smooth, each in zip(
            reversed(self.laterals), reversed(self.smoothing), reversed(fused), strict=True
        ):
            finer = lateral(each.to(self.classifier.weight.dtype))
            if merged is not None:
                finer = finer + self.enlarge(merged, finer.shape[-2:])
            merged = smooth(finer)
        assert merged is not None
        return Output(self.enlarge(in_full_precision(self.classifier, merged), size)[:, 0])


class MaskEmbeddingDecoder(Decoder):
    """Compares each pixel of a fine map with what the cell around it is looking for.

    The fusion says what is meant, in coarse cells; the finest map, which it lets pass by, says what
    each of its pixels belongs to. A cell gives a vector, the mask embedding, and a number, which
    are interpolated between the cells. The logit of a fine pixel is the scalar product of its own
    vector with the mask embedding at its place, plus the number there. Unlike in `PyramidDecoder`,
    nothing is convolved on the fine map for each expression.

    Args:
        dims: channels of the fused maps, of which the finest and the coarsest are used; supplied by
            the fusion.
        sentence_dim: not used: this decoder does not listen.
        hidden_dim: channels of the 3×3 convolution over the coarsest map.

    References:
        Cheng, Schwing, Kirillov, *Per-Pixel Classification is Not All You Need for Semantic
        Segmentation* (MaskFormer), NeurIPS 2021, https://arxiv.org/abs/2107.06278, section 3.2,
        which has one mask embedding per query; here each cell has its own.

    Example:
        >>> text = TextFeatures(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.ones(2, 1).bool())
        >>> maps = (torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4))
        >>> MaskEmbeddingDecoder((3, 5), 1, hidden_dim=4)(maps, text, (16, 16)).logits.shape
        torch.Size([2, 16, 16])
    """

    def __init__(self, dims: Sequence[int], sentence_dim: int, hidden_dim: int = 32) -> None:
        super().__init__()
        self.context = convolution(dims[-1], hidden_dim)
        self.classifier = nn.Conv2d(hidden_dim, dims[0] + 1, 1)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        pixels = full_precision(fused[0])
        context = self.context(fused[-1].to(self.classifier.weight.dtype))
        cells = in_full_precision(self.classifier, context)
        h, w = pixels.shape[-2:]
        sought = self.enlarge(cells, (h, w))
        logits = (sought[:, :-1] * pixels).sum(1, keepdim=True) + sought[:, -1:]
        return Output(self.enlarge(logits, size)[:, 0])


class DeconvolutionDecoder(Decoder):
    """One logit per cell, enlarged by a transposed convolution that is learned: LSTM-CNN's.

    Its filter is two cells wide and starts as bilinear interpolation. Beyond the border there is
    nothing, so that logits fade there. Images that are not a whole number of cells are cut at the
    lower right; another size than the filter's is reached bilinearly.

    Args:
        dims: channels of the fused maps, of which the coarsest is decoded; supplied by the fusion.
        sentence_dim: not used: this decoder does not listen.
        stride: pixels per cell, the backbone's; 32 in the paper, with a filter of 64×64.
        learned: train the filter, as in the paper's last stage; before that, it only interpolates.
        initial_std: of the normal distribution that the classifier starts from; 0.1 in the
            paper's code. None: torch's way.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.4.
    """

    def __init__(
        self,
        dims: Sequence[int],
        sentence_dim: int,
        stride: int = 32,
        learned: bool = True,
        initial_std: float | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.classifier = nn.Conv2d(dims[-1], 1, 1)
        self.upsampling = nn.ConvTranspose2d(1, 1, 2 * stride, stride, bias=False)
        with torch.no_grad():
            self.upsampling.weight.copy_(bilinear_filter(stride))
        self.upsampling.requires_grad_(learned)
        if initial_std is not None:
            start_normal([self.classifier], initial_std)

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        """Decode to `size`, (height, width) in pixels."""
        logits = self.upsample(self.cell_logits(fused, text))
        surplus = [have - wanted for have, wanted in zip(logits.shape[-2:], size, strict=True)]
        if all(0 <= pixels < self.stride for pixels in surplus):
            return Output(logits[:, : size[0], : size[1]])
        return Output(self.enlarge(logits[:, None], size)[:, 0])

    def upsample(
        self, cell_logits: Float[Tensor, " expressions h w"]
    ) -> Float[Tensor, " expressions height width"]:
        """The logits of pixels, `stride` times as many on each side as cells."""
        height, width = (size * self.stride for size in cell_logits.shape[-2:])
        start = self.stride // 2
        full = in_full_precision(self.upsampling, cell_logits[:, None])[:, 0]
        return full[:, start : start + height, start : start + width]

    def cell_logits(self, fused: Maps, text: TextFeatures) -> Float[Tensor, " expressions h w"]:
        """One logit per cell of the coarsest map."""
        return in_full_precision(self.classifier, fused[-1])[:, 0]


def bilinear_filter(stride: int) -> Float[Tensor, " taps taps"]:
    """The filter that makes a transposed convolution interpolate, as LSTM-CNN's code has it.

    Its first row and column are 0 and its peak is the tap number `stride`: unlike the symmetric
    filter of FCN, it puts the value of a cell on one pixel.

    Example:
        >>> bilinear_filter(2)[2]
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    taps = 1 - (torch.arange(2 * stride) - stride).abs() / stride
    return taps[:, None] * taps


def legacy_upsample(
    maps: Float[Tensor, " n channels h w"], size: tuple[int, int]
) -> Float[Tensor, " n channels height width"]:
    """Bilinear resizing as in TensorFlow 1: the first pixels coincide, not the centres.

    The value of cell (i, j) lies on pixel (stride·i, stride·j); beyond the last cell its value goes
    on. Equal to `tf.image.resize_bilinear(align_corners=False)`, and unlike every mode of torch.

    Args:
        maps: what is enlarged.
        size: (height, width) of the result.

    Example:
        >>> legacy_upsample(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
        tensor([[[[0.0000, 0.5000, 1.0000, 1.0000]]]])
    """
    height, width = size
    padded = functional.pad(maps, (0, 1, 0, 1), mode="replicate")
    enlarged = functional.interpolate(
        padded, size=(height + 1, width + 1), mode="bilinear", align_corners=True
    )
    return enlarged[:, :, :height, :width]
