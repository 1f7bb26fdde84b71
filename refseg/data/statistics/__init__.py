"""What a data set is like: lengths, words, sizes, classes, distractors, by row and in sum.

In comes a table of references, out come columns and counts. Open `summary` first.
"""

from refseg.data.statistics.bins import (
    COCO_AREA_BINS,
    DISTRACTOR_BINS,
    GOOGLE_LENGTH_BINS,
    REFERIT_LENGTH_BINS,
    SHARE_BINS,
    UNC_LENGTH_BINS,
    Bins,
    length_bins,
)
from refseg.data.statistics.objects import (
    UNKNOWN,
    areas,
    distractors,
    first_rows,
    image_shares,
    names_something,
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
    "DISTRACTOR_BINS",
    "GOOGLE_LENGTH_BINS",
    "POSITION",
    "REFERIT_LENGTH_BINS",
    "RELATION",
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
    "distractors",
    "first_rows",
    "image_shares",
    "length_bins",
    "names_something",
    "summarise",
    "words_of",
]
