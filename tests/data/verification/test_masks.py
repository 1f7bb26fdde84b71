"""Masks in tables made by hand: damaged, empty, boxes, several objects."""

import numpy as np

from refseg.data.objects import Objects
from refseg.data.references import References
from refseg.data.verification.counts import check_expressions
from refseg.data.verification.masks import check_masks

from ..tables import square, table


def objects(areas: dict[int, float]) -> Objects:
    ids = np.array(list(areas), np.int64)
    ones = np.ones(len(ids), np.int64)
    return Objects(ids, ones, ones, np.array(list(areas.values()), np.float64), {})


def kinds(references: References, published: Objects | None = None) -> list[tuple[str, str]]:
    return [(one.kind, one.record) for one in check_masks(references, published).findings]


def test_what_names_nothing_may_be_empty() -> None:
    rows = [{"rle": square(0)}, {"rle": square(0), "annotation_ids": []}]
    checked = check_masks(table(rows), None)
    assert checked[:4] == (1, 0, 1, 0)
    assert kinds(table(rows)) == [("mask empty", "ref_id 0, ann_id 0")]


def test_damaged_run_lengths_and_those_of_another_size() -> None:
    rows = [{"rle": b"\xff"}, {"rle": square(5), "height": 9}, {"rle": square(5)}]
    assert kinds(table(rows)) == [
        ("mask damaged", "ref_id 0, ann_id 0"),
        ("mask damaged", "ref_id 1, ann_id 1"),
    ]


def test_boxes_are_counted_and_not_compared() -> None:
    rows = [{"rle": square(150), "mask_kind": "box"}, {"rle": square(20)}]
    checked = check_masks(table(rows), objects({0: 20, 1: 20}))
    assert checked == (1, 1, 0, 1, ())


def test_several_objects_cover_between_the_largest_and_the_sum() -> None:
    published = objects({1: 100, 2: 60})
    for pixels, is_right in ((40, False), (100, True), (160, True)):
        rows = [{"rle": square(pixels), "annotation_ids": [1, 2]}]
        assert (kinds(table(rows), published) == []) is is_right
    rows = [{"rle": square(40), "annotation_ids": [1, 3]}]
    assert check_masks(table(rows), published).compared == 0  # 3 is not published


def test_the_rim_of_an_object_may_differ() -> None:
    rows = [{"rle": square(100)}]
    assert kinds(table(rows), objects({0: 110})) == []
    assert kinds(table(rows), objects({0: 150})) == [("mask area", "ref_id 0, ann_id 0")]


def test_the_same_object_is_checked_once() -> None:
    rows = [{"reference_id": 4, "rle": square(0)}, {"reference_id": 4, "rle": square(0)}]
    assert kinds(table(rows)) == [("mask empty", "ref_id 4, ann_id 4")]


def test_expressions() -> None:
    rows = [
        {"expression_id": 7},
        {"expression_id": 7, "reference_id": 1},
        {"expression": " -- ", "reference_id": 2},
        {"expression": "北の犬", "reference_id": 3},
    ]
    assert [(one.record, one.message) for one in check_expressions(table(rows))] == [
        ("sent_id 7", "the sent_id 7 occurs 2 times."),
        ("ref_id 2, sent_id 2", "the expression has no word."),
    ]
