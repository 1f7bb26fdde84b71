"""The statistics of a data set: of each split, and of all splits together."""

from dataclasses import dataclass

from refseg.data.statistics.bins import Bins


@dataclass(frozen=True)
class Distribution:
    """The distribution of a quantity.

    Args:
        values: how many.
        mean: NaN where there is no value; so are the next two.
        median: half of the values are at most this.
        most: the largest value.
        counts: how many lie in each group of the bins.
    """

    values: int
    mean: float
    median: float
    most: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Vocabulary:
    """The different words of a split.

    Args:
        size: how many.
        once: share of them that occur once in the split.
        unknown_words: share of the split's words, counted as often as they occur, that the
            training splits do not have; NaN where there is none, and for all splits together.
        unknown_expressions: share of the expressions with at least one such word.
    """

    size: int
    once: float
    unknown_words: float
    unknown_expressions: float


@dataclass(frozen=True)
class SplitStatistics:
    """One split in numbers. Objects are counted once, however many expressions they have.

    Args:
        expressions: how many.
        references: how many.
        images: how many.
        without_object: expressions that name nothing.
        boxes: references of which only a box was published.
        words: of the expressions.
        vocabulary: of the expressions.
        kinds: share of the expressions with a word of each kind (position, attribute, relation).
        shares: area of the objects as a share of their image.
        areas: area of the objects in pixels, in COCO's groups.
        distractors: other objects of the same class in the image, where that is known.
        categories: number of references to each class, the most frequent first.
        frequent: the most frequent words and how often they occur.
    """

    expressions: int
    references: int
    images: int
    without_object: int
    boxes: int
    words: Distribution
    vocabulary: Vocabulary
    kinds: dict[str, float]
    shares: Distribution
    areas: Distribution
    distractors: Distribution
    categories: dict[str, int]
    frequent: dict[str, int]


@dataclass(frozen=True)
class DatasetStatistics:
    """A data set in numbers.

    Args:
        source: the data set, as messages name it.
        splits: in the customary order.
        together: all rows, those that belong to several splits counted once.
        length_bins: the groups of `SplitStatistics.words`.
        distractors_from_all: whether distractors were counted among all annotated objects of the
            images, or only among those that are referred to.
    """

    source: str
    splits: dict[str, SplitStatistics]
    together: SplitStatistics
    length_bins: Bins
    distractors_from_all: bool
