"""From batches to logits; knows no files and no Lightning."""

from refseg.models.decoders import BilinearDecoder, Decoder
from refseg.models.segmenter import Segmenter

__all__ = ["BilinearDecoder", "Decoder", "Segmenter"]
