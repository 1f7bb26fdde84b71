from .decoders import BilinearDecoder as BilinearDecoder
from .decoders import Decoder as Decoder
from .decoders import DeconvolutionDecoder as DeconvolutionDecoder
from .decoders import MaskEmbeddingDecoder as MaskEmbeddingDecoder
from .decoders import PyramidDecoder as PyramidDecoder
from .region import RegionModel as RegionModel
from .segmenter import Segmenter as Segmenter
