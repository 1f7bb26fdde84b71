from .base import Decoder as Decoder
from .bilinear import BilinearDecoder as BilinearDecoder
from .bilinear import legacy_upsample as legacy_upsample
from .deconvolution import DeconvolutionDecoder as DeconvolutionDecoder
from .deconvolution import bilinear_filter as bilinear_filter
from .mask_embedding import MaskEmbeddingDecoder as MaskEmbeddingDecoder
from .pyramid import PyramidDecoder as PyramidDecoder
from .skip_connection import SkipConnectionDecoder as SkipConnectionDecoder
