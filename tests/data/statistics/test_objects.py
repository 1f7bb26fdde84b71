"""Sizes and distractors, against counting by hand and by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from refseg.data.objects import Objects
from refseg.data.statistics import UNKNOWN, areas, distractors, first_rows, image_shares

from ..tables import HEIGHT, WIDTH, square, table


def objects(*records: tuple[int, int, int]) -> Objects:
    """From ids of annotation, image and class."""
    ids, images, categories = np.array(records, np.int64).reshape(-1, 3).T
    return Objects(ids, images, categories, np.full(len(ids), np.nan), {})


def test_areas_are_the_pixels_of_the_masks() -> None:
    references = table([{"rle": square(n)} for n in (0, 1, 7, 7, 200)])
    assert areas(references).tolist() == [0, 1, 7, 7, 200]
    assert image_shares(references).tolist() == [0, 0.005, 0.035, 0.035, 1]


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH))
def test_areas_are_those_of_pycocotools(pixels: list[bool]) -> None:
    mask = np.array(pixels).reshape(HEIGHT, WIDTH)
    rle = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert areas(table([{"rle": rle["counts"]}])).tolist() == [int(coco.area(rle))]


def test_an_object_counts_once() -> None:
    rows = [{"reference_id": number} for number in (5, 5, 3, 5, 3, 9)]
    assert first_rows(table(rows)).tolist() == [0, 2, 5]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"annotation_ids": [10], "category_ids": [1]}, 2),  # 11 and 12
        ({"annotation_ids": [10, 11], "category_ids": [1]}, 1),  # one class, said once
        ({"annotation_ids": [10, 11], "category_ids": [1, 1]}, 1),  # … or once per object
        ({"annotation_ids": [10, 13], "category_ids": [1, 2]}, 2),  # 11, 12; none like 13
        ({"annotation_ids": [13], "category_ids": [2]}, 0),
        ({"annotation_ids": [99], "category_ids": [1]}, 3),  # not among the objects
        ({"annotation_ids": [], "category_ids": []}, UNKNOWN),
        ({"annotation_ids": [10], "category_ids": []}, UNKNOWN),
        ({"annotation_ids": [], "category_ids": [1]}, UNKNOWN),
        ({"annotation_ids": [20], "category_ids": [1], "image_id": 2}, 0),
    ],
)
def test_distractors_among_all_objects(row: dict[str, object], expected: int) -> None:
    everything = objects((10, 1, 1), (11, 1, 1), (13, 1, 2), (12, 1, 1), (20, 2, 1))
    others = [{"annotation_ids": [20], "image_id": 2}, {"annotation_ids": [12]}]
    assert distractors(table([others[0], row, others[1]]), everything).tolist() == [0, expected, 2]


def test_distractors_among_what_is_referred_to() -> None:
    rows = [
        {"reference_id": 1, "category_ids": [1]},
        {"reference_id": 1, "category_ids": [1]},  # a second sentence for the same object
        {"reference_id": 2, "category_ids": [1]},
        {"reference_id": 3, "category_ids": [2]},
        {"reference_id": 4, "category_ids": [1], "image_id": 2},
    ]
    assert distractors(table(rows), None).tolist() == [1, 1, 1, 0, 0]


def test_without_one_class_per_object_distractors_are_unknown() -> None:
    rows = [{"annotation_ids": [1, 2], "category_ids": [1]}, {"annotation_ids": [3]}]
    assert distractors(table(rows), None).tolist() == [UNKNOWN, UNKNOWN]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=12))
def test_distractors_as_counted_one_by_one(records: list[tuple[int, int]]) -> None:
    everything = objects(*((100 + n, image, kind) for n, (image, kind) in enumerate(records)))
    rows = [
        {"annotation_ids": [100 + n], "category_ids": [kind], "image_id": image}
        for n, (image, kind) in enumerate(records)
    ]
    expected = [records.count(record) - 1 for record in records]
    assert distractors(table(rows), everything).tolist() == expected
    assert distractors(table(rows), None).tolist() == expected
