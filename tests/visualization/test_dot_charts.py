"""Dots stand where the values are, and many series are told apart."""

import math

from refseg.visualization.dot_charts import dot_chart

NAMES = [f"model {number}" for number in range(8)]


def chart(values: list[float]) -> "dict[str, object]":
    series = dict.fromkeys(NAMES, values)
    ends = {name: [(value - 0.02, value + 0.02) for value in values] for name in NAMES}
    return dict(dot_chart(["1–3", "<b>"], series, ends, "overall IoU").to_plotly_json())


def test_eight_series_have_colours_and_forms_of_their_own() -> None:
    dots = chart([0.7, 0.8])["data"]
    assert [list(trace["x"]) for trace in dots] == [[0.7, 0.8]] * 8
    assert dots[0]["y"] == ["1–3", "&lt;b&gt;"]
    for look in ("color", "symbol"):
        assert len({trace["marker"][look] for trace in dots}) == 8
    assert len({trace["offsetgroup"] for trace in dots}) == 8, "a line for each"


def test_the_axis_spans_the_intervals_and_no_more() -> None:
    low, high = chart([0.7, 0.8])["layout"]["xaxis"]["range"]
    assert 0.65 < low < 0.68
    assert 0.82 < high < 0.85


def test_what_is_not_known_is_not_drawn() -> None:
    nan = math.nan
    figure = dot_chart(["a", "b"], {"m": [nan, 0.5]}, {"m": [(nan, nan), (nan, nan)]})
    (dots,) = figure.data
    assert math.isnan(dots.x[0])
    assert dots.customdata == ("", "")
    assert all(map(math.isnan, dots.error_x.array))
    nothing = dot_chart(["a"], {"m": [nan]}, {"m": [(nan, nan)]})
    assert nothing.layout.xaxis.range == (0, 1)
