"""From batches to logits; knows no files and no Lightning."""

from refseg.models.decoders import (
    BilinearDecoder,
    Decoder,
    DeconvolutionDecoder,
    MaskEmbeddingDecoder,
    PyramidDecoder,
)
from refseg.models.region import RegionModel
from refseg.models.segmenter import Segmenter

__all__ = [
    "BilinearDecoder",
    "Decoder",
    "DeconvolutionDecoder",
    "MaskEmbeddingDecoder",
    "PyramidDecoder",
    "RegionModel",
    "Segmenter",
]
