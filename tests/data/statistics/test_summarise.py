"""A data set of seven sentences, counted by hand."""

import math

import numpy as np
import pytest

from refseg.data.objects import Objects
from refseg.data.statistics import UNC_LENGTH_BINS, DatasetStatistics, summarise

from ..tables import square, table

ROWS = [
    {"reference_id": 1, "expression": "left red dog", "rle": square(20)},
    {"reference_id": 1, "expression": "the dog", "rle": square(20)},
    {"reference_id": 2, "expression": "cat", "category_ids": [2], "rle": square(1)},
    {
        "reference_id": 3,
        "expression": "dog next to the old cat, on top of a very tall table near me",
        "image_id": 2,
        "rle": square(100),
    },
    {"reference_id": 4, "expression": "zebra dog", "split": "val", "image_id": 3},
    {"reference_id": 5, "expression": "second dog", "split": "val", "image_id": 3},
    {
        "reference_id": 6,
        "expression": "the dog",
        "split": "val",
        "image_id": 4,
        "annotation_ids": [],
        "category_ids": [],
        "rle": square(0),
    },
]


@pytest.fixture(scope="module")
def counted() -> DatasetStatistics:
    objects = Objects(
        np.array([1, 2, 3, 4, 5, 77]),
        np.array([1, 1, 2, 3, 3, 1]),
        np.array([1, 2, 1, 1, 1, 1]),
        np.full(6, np.nan),
        {1: "dog"},
    )
    return summarise(table(ROWS), UNC_LENGTH_BINS, objects)


def test_size(counted: DatasetStatistics) -> None:
    train, val = counted.splits["train"], counted.splits["val"]
    assert list(counted.splits) == ["train", "val"]
    assert (train.expressions, train.references, train.images) == (4, 3, 2)
    assert (val.expressions, val.references, val.images) == (3, 3, 2)
    assert (train.without_object, val.without_object, counted.together.without_object) == (0, 1, 1)
    assert (counted.together.expressions, counted.together.images) == (7, 4)


def test_lengths(counted: DatasetStatistics) -> None:
    words = counted.splits["train"].words
    assert (words.values, words.mean, words.median, words.most) == (4, 21 / 4, 2.5, 15)
    assert words.counts == (2, 1, 0, 1, 0)


def test_vocabulary(counted: DatasetStatistics) -> None:
    # left red dog the cat next to old on top of a very tall table near me
    train = counted.splits["train"].vocabulary
    assert train.size == 17
    assert train.once == pytest.approx(14 / 17)  # all but dog, the, cat
    val = counted.splits["val"].vocabulary  # zebra dog second the
    assert (val.size, val.once) == (4, 3 / 4)
    assert val.unknown_words == pytest.approx(2 / 6)  # zebra and second
    assert val.unknown_expressions == pytest.approx(2 / 3)
    assert math.isnan(counted.together.vocabulary.unknown_words)
    assert list(counted.together.frequent.items())[:2] == [("dog", 6), ("the", 3)]


def test_kinds(counted: DatasetStatistics) -> None:
    train, val = counted.splits["train"].kinds, counted.splits["val"].kinds
    # "on top of" is a relation: the long sentence has no word of position.
    assert train == {"position": 1 / 4, "attribute": 2 / 4, "relation": 1 / 4}
    assert val == {"position": 1 / 3, "attribute": 0, "relation": 0}


def test_objects(counted: DatasetStatistics) -> None:
    train, val = counted.splits["train"], counted.splits["val"]
    assert train.shares.mean == pytest.approx((0.1 + 0.005 + 0.5) / 3)
    assert train.shares.median == pytest.approx(0.1)
    assert train.shares.counts == (1, 0, 0, 1, 1)
    assert val.shares.values == 2  # what names nothing has no size
    assert train.areas.counts == (3, 0, 0)
    assert train.distractors.counts == (2, 1, 0, 0, 0, 0)  # dog 77 beside dog 1
    assert val.distractors.counts == (0, 2, 0, 0, 0, 0)
    assert train.categories == {"dog": 2, "class 2": 1}
    assert val.categories == {"dog": 2}


def test_without_training_split_nothing_is_unknown() -> None:
    rows = [{"split": "val"}, {"split": "testA", "mask_kind": "box"}]
    counted = summarise(table(rows), UNC_LENGTH_BINS)
    assert math.isnan(counted.splits["val"].vocabulary.unknown_words)
    assert [split.boxes for split in counted.splits.values()] == [0, 1]
    assert not counted.distractors_from_all
