"""What a data set is like: lengths, words, sizes, classes and rivals, row by row and in sum."""

from refseg.data.statistics.bins import (
    COCO_AREA_BINS,
    GOOGLE_LENGTH_BINS,
    REFERIT_LENGTH_BINS,
    RIVAL_BINS,
    SHARE_BINS,
    UNC_LENGTH_BINS,
    Bins,
    length_bins,
)
from refseg.data.statistics.objects import (
    UNKNOWN,
    areas,
    first_rows,
    image_shares,
    names_something,
    rivals,
)
from refseg.data.statistics.summarise import summarise
from refseg.data.statistics.summary import (
    DatasetStatistics,
    Distribution,
    SplitStatistics,
    Vocabulary,
)
from refseg.data.statistics.word_kinds import ATTRIBUTE, POSITION, RELATION, WORD_KINDS
from refseg.data.statistics.words import Words, words_of

__all__ = [
    "ATTRIBUTE",
    "COCO_AREA_BINS",
    "GOOGLE_LENGTH_BINS",
    "POSITION",
    "REFERIT_LENGTH_BINS",
    "RELATION",
    "RIVAL_BINS",
    "SHARE_BINS",
    "UNC_LENGTH_BINS",
    "UNKNOWN",
    "WORD_KINDS",
    "Bins",
    "DatasetStatistics",
    "Distribution",
    "SplitStatistics",
    "Vocabulary",
    "Words",
    "areas",
    "first_rows",
    "image_shares",
    "length_bins",
    "names_something",
    "rivals",
    "summarise",
    "words_of",
]
