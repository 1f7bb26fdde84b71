"""The first stage of LSTM-CNN: is what a box shows what an expression names?"""

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from refseg.errors import ConfigError
from refseg.models.fusion.concat import ConcatFusion
from refseg.models.segmenter import Segmenter


class RegionModel(nn.Module):
    """Scores boxes with the parts of a segmenter, which learn there what segmentation starts from.

    The original trains two models and copies the weights of one into the other; here both are made
    of the same parts, and nothing has to be copied.

    Args:
        segmenter: with a `ConcatFusion`; its backbone sees crops of 224×224 pixels in the paper.

    Raises:
        ConfigError: it has another fusion.

    References:
        Hu, Rohrbach, Darrell, *Segmentation from Natural Language Expressions*, ECCV 2016,
        https://arxiv.org/abs/1603.06180, section 3.5.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        if not isinstance(segmenter.fusion, ConcatFusion):
            raise ConfigError(
                "Expected a segmenter with a ConcatFusion, which sees a box as one cell, got one "
                f"with a {type(segmenter.fusion).__name__}; choose fusion: ConcatFusion."
            )
        self.segmenter = segmenter

    def forward(
        self,
        crops: UInt8[Tensor, " crops 3 height width"],
        places: Float[Tensor, " crops 8"],
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        crop_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions"]:
        """One logit per expression.

        Args:
            crops: what the boxes show.
            places: where the boxes are (`box_coordinates`).
            tokens: as for the segmenter.
            token_mask: True at a word.
            crop_index: which crop each expression is about.
        """
        vectors = self.segmenter.backbone.vectors(crops)
        return self.from_features(vectors, places, tokens, token_mask, crop_index)

    def from_features(
        self,
        vectors: Float[Tensor, " crops dim 1 1"],
        places: Float[Tensor, " crops 8"],
        tokens: Int64[Tensor, " expressions words"],
        token_mask: Bool[Tensor, " expressions words"],
        crop_index: Int64[Tensor, " expressions"],
    ) -> Float[Tensor, " expressions"]:
        """As `forward`, with one vector per crop: fc8 in the paper."""
        text = self.segmenter.text_encoder(tokens, token_mask)
        fused = self.segmenter.fusion((vectors,), text, crop_index, places[:, :, None, None])
        return self.segmenter.decoder.cell_logits(fused, text)[:, 0, 0]
