"""Bar charts carry the numbers, and leave the colours of letters to the page."""

import math

import pytest

from refseg.visualization import bar_chart
from refseg.visualization.charts import curve_chart


@pytest.mark.parametrize("horizontal", [False, True])
def test_bars_are_the_values(horizontal: bool) -> None:
    labels = ["1", "3–4", "1/2"]
    series = {"train": [0.5, 0.25, math.nan], "val": [1.0, 0.0, 0.5]}
    figure = bar_chart(labels, series, percent=True, horizontal=horizontal)
    assert [bars.name for bars in figure.data] == ["train", "val"]
    for bars, values in zip(figure.data, series.values(), strict=True):
        across, along = (bars.y, bars.x) if horizontal else (bars.x, bars.y)
        assert list(across) == labels
        assert list(along) == pytest.approx(values, nan_ok=True)
    # Labels such as "1" must not become numbers, nor "1/2" a date.
    axis = figure.layout.yaxis if horizontal else figure.layout.xaxis
    assert axis.type == "category"
    colors = {bars.marker.color for bars in figure.data}
    assert len(colors) == 2
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_one_series_needs_no_legend() -> None:
    assert not bar_chart(["a"], {"one": [1]}).layout.showlegend
    assert bar_chart(["a"], {"one": [1], "two": [2]}).layout.showlegend


@pytest.mark.parametrize("horizontal", [False, True])
def test_bars_with_intervals_are_also_told_apart_without_colour(horizontal: bool) -> None:
    nan = math.nan
    figure = bar_chart(
        ["small", "large"],
        {"rmi": [0.5, 0.75], "lstm": [0.25, nan]},
        percent=True,
        horizontal=horizontal,
        intervals={"rmi": [(0.25, 0.625), (0.5, 1.0)], "lstm": [(nan, nan), (nan, nan)]},
    )
    bars = figure.data[0].error_x if horizontal else figure.data[0].error_y
    assert list(bars.arrayminus) == [0.25, 0.25]
    assert list(bars.array) == [0.125, 0.25]
    assert list(figure.data[0].customdata) == ["[25.0%, 62.5%]", "[50.0%, 100.0%]"]
    assert list(figure.data[1].customdata) == ["", ""]
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 2


@pytest.mark.parametrize("horizontal", [False, True])
def test_bars_tell_what_they_measure(horizontal: bool) -> None:
    figure = bar_chart(["a"], {"b": [1]}, horizontal=horizontal, value_title="overall <IoU>")
    measured, other = figure.layout.yaxis, figure.layout.xaxis
    if horizontal:
        measured, other = other, measured
    assert measured.title.text == "overall &lt;IoU&gt;"
    assert other.title.text is None


def test_few_points_are_marked_for_each_series_in_its_way() -> None:
    series = {"rmi": [0.2, math.nan, 0.5], "other": [0.1, 0.2, 0.3]}
    figure = curve_chart(
        [0.2, 0.4, 1.0], series, x_title="words", y_title="IoU", percent=True, marked=True
    )
    assert {trace.mode for trace in figure.data} == {"lines+markers"}
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    assert figure.layout.xaxis.tickformat == ".0%"
    assert figure.layout.xaxis.tickvals == (0.2, 0.4, 1.0)


def test_curves_have_bands_and_dashes() -> None:
    ends = {"rmi": [(0.9, 1.0), (0.2, 0.4)], "<b>": [(math.nan, math.nan)] * 2}
    figure = curve_chart(
        [0.0, 1.0],
        {"rmi": [1.0, 0.3], "<b>": [1.0, 0.1]},
        x_title="IoU",
        y_title="share",
        intervals=ends,
    )
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert [tuple(line.y) for line in lines] == [(1.0, 0.3), (1.0, 0.1)]
    assert len({line.line.dash for line in lines}) == 2
    assert lines[1].name == "&lt;b&gt;"
    band = figure.data[0]
    assert (tuple(band.x), tuple(band.y)) == ((0, 1, 1, 0), (1.0, 0.4, 0.2, 0.9))
    assert figure.layout.showlegend


def test_eight_curves_are_told_apart_and_have_no_bands() -> None:
    series = {f"model {number}": [1.0, 0.1 * number] for number in range(8)}
    ends = {name: [(0.9, 1.0), (0.0, 0.8)] for name in series}
    figure = curve_chart([0.0, 1.0], series, x_title="IoU", y_title="share", intervals=ends)
    assert [trace.name for trace in figure.data] == list(series)
    assert len({trace.line.color for trace in figure.data}) == 8
    assert len({trace.line.dash for trace in figure.data}) == 8
    assert figure.data[0].customdata == ("[90.0%, 100.0%]", "[0.0%, 80.0%]")
