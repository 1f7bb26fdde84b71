"""The project's heart: ways to join words and pixels, one file each."""

from refseg.models.fusion.base import Fusion, WordByWord
from refseg.models.fusion.concat import ConcatFusion
from refseg.models.fusion.cross_attention import CrossAttention
from refseg.models.fusion.dynamic_filters import DynamicFilters
from refseg.models.fusion.film import FilmFusion
from refseg.models.fusion.mlstm import MultimodalLSTM
from refseg.models.fusion.pixel_word_attention import LanguageAwareFusion

__all__ = [
    "ConcatFusion",
    "CrossAttention",
    "DynamicFilters",
    "FilmFusion",
    "Fusion",
    "LanguageAwareFusion",
    "MultimodalLSTM",
    "WordByWord",
]
