"""The fields of the filter and the data that its script reads."""

import json

from refseg.visualization.html.filters import Counted, expression_filter

from .test_markup import HOSTILE, parsed


def test_each_field_has_a_label_and_each_value_its_count() -> None:
    markup = expression_filter(
        ["a", "b", "c"], ["dog", "cat", "dog"], ["val", "val", "testA"], {"": [Counted([1], [2])]}
    ).markup
    body = parsed(markup)
    labels = {label.get("for"): label.text for label in body.iter("label")}
    fields = {field.get("id") for tag in ("input", "select") for field in body.iter(tag)}
    assert set(labels) == fields == {"filter-words", "filter-category", "filter-split"}
    options = {
        select.get("id"): [(option.get("value"), option.text) for option in select]
        for select in body.iter("select")
    }
    assert options["filter-category"] == [("", "all"), ("0", "dog (2)"), ("1", "cat (1)")]
    status = [element.get("id") for element in body.iter() if element.get("role") == "status"]
    assert status == ["filter-count"]


def test_one_split_needs_no_choice() -> None:
    markup = expression_filter(["a"], ["dog"], ["val"], {"": [Counted([1], [2])]}).markup
    assert "filter-split" not in markup


def test_the_data_are_whole_and_inert() -> None:
    counted = Counted([1, 2, 3, 4, 5, 6, 7], [9] * 7)
    models = {HOSTILE[0]: [counted, counted]}
    body = parsed(expression_filter(HOSTILE, HOSTILE, ["val"] * 7, models).markup)
    (script,) = body.iter("script")
    data = json.loads(script.text)
    assert data["expressions"] == HOSTILE
    assert [data["categories"][code] for code in data["category"]] == HOSTILE
    (model,) = data["models"]
    assert model["name"] == HOSTILE[0]
    assert model["seeds"] == [{"intersections": counted.intersections, "unions": [9] * 7}] * 2
