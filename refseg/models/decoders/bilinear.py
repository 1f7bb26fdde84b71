"""One logit per cell, interpolated: the decoder of RMI."""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from refseg.models.decoders.base import Decoder
from refseg.models.parameters import start_xavier
from refseg.precision import in_full_precision
from refseg.types import Maps, Output, TextFeatures


class BilinearDecoder(Decoder):
    """One logit per cell by a 1×1 convolution, then bilinear upsampling.

    Args:
        dims: channels of the fused maps, of which the coarsest is decoded; supplied by the fusion.
        word_dim: not used: this decoder does not listen.
        sentence_dim: not used.
        dropout: share of the fused channels dropped in training; 0 in both papers.
        grid: where the logit of a cell lies: `centred` in the cell, or, as in RMI's code, `legacy`,
            on its upper left pixel (`legacy_upsample`), where RMI's training takes its target.
        initialization: of the classifier: `torch`, or `xavier` as in RMI's code, uniform by
            Glorot's rule with a bias of 0.
    """

    def __init__(
        self,
        dims: Sequence[int],
        word_dim: int,
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
        >>> import torch
        >>> legacy_upsample(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
        tensor([[[[0.0000, 0.5000, 1.0000, 1.0000]]]])
    """
    height, width = size
    padded = functional.pad(maps, (0, 1, 0, 1), mode="replicate")
    enlarged = functional.interpolate(
        padded, size=(height + 1, width + 1), mode="bilinear", align_corners=True
    )
    return enlarged[:, :, :height, :width]
