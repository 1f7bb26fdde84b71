from .base import Fusion as Fusion
from .base import WordByWord as WordByWord
from .concat import ConcatFusion as ConcatFusion
from .cross_attention import CrossAttention as CrossAttention
from .dynamic_filters import DynamicFilters as DynamicFilters
from .film import FilmFusion as FilmFusion
from .mlstm import MultimodalLSTM as MultimodalLSTM
from .pixel_word_attention import LanguageAwareFusion as LanguageAwareFusion
