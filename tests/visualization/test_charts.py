"""Bar charts carry the numbers, and leave the colours of letters to the page."""

import math

import pytest

from refseg.visualization import bar_chart


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
