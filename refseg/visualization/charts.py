"""Bar charts and curves for web pages."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SERIES_COLORS = (
    *("#3d85c6", "#e08a2c", "#2aa17c", "#c9609f"),
    *("#8f74d6", "#8a9099", "#a8820c", "#d1495b"),
)
"""Told apart on white and on black, also by those who confuse red and green."""

# … and by those who see no colours, or print in grey
_PATTERNS = ("", "/", ".", "x", "-", "\\", "+", "|")
_DASHES = (
    *("solid", "dash", "dot", "dashdot", "longdash", "longdashdot"),
    *("12px,3px,3px,3px", "3px,9px"),
)
SERIES_SYMBOLS = (
    *("circle", "square", "diamond", "cross", "x"),
    *("triangle-up", "triangle-down", "star"),
)
"""Forms of dots, one for each series."""

_BAR_HEIGHT = 22
MOST_BANDS = 4
"""So many curves have bands; of more, they would hide each other."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

Ends = Sequence[tuple[float, float]]
"""The lower and the upper end of the interval of each value."""


def bar_chart(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int | float]],
    *,
    percent: bool = False,
    horizontal: bool = False,
    value_title: str = "",
    intervals: Mapping[str, Ends] | None = None,
) -> "Figure":
    """Draw bars, one group for each label and one colour for each series.

    Colours of letters and lines are left to the page (`write_page`), which knows whether it is dark
    or light; what stays fixed are the colours of the bars. Bars with intervals are also hatched, a
    pattern for each series.

    Args:
        labels: of the groups, in order.
        series: for each name, one value per label; NaN draws no bar.
        percent: values are shares, shown in percent.
        horizontal: labels on the left, one below the other, which suits many or long ones.
        value_title: what the values are; empty where the page says it.
        intervals: for each name, one interval per label, drawn as a line; NaN draws none.

    Example:
        >>> figure = bar_chart(["0", "1"], {"train": [0.25, 0.75]}, percent=True)
        >>> [tuple(bars.y) for bars in figure.data]
        [(0.25, 0.75)]
    """
    from plotly import graph_objects  # takes a second, which a page needs and nothing else

    # Plotly takes some tags for formatting; names of classes are not ours.
    labels = [html.escape(label) for label in labels]
    figure = graph_objects.Figure()
    form = ".1%" if percent else ",d"
    for number, (series_name, values) in enumerate(series.items()):
        name = html.escape(series_name)
        across, along = (list(values), labels) if horizontal else (labels, list(values))
        value = "x" if horizontal else "y"
        label = "y" if horizontal else "x"
        marker: dict[str, Any] = {
            "color": series_style(SERIES_COLORS, number),
            "line": {"width": 0},
        }
        more: dict[str, Any] = {}
        hover = f"%{{{value}:{form}}}"
        if intervals is not None:
            ends = intervals[series_name]
            marker["pattern"] = {
                "shape": series_style(_PATTERNS, number),
                "fillmode": "overlay",
                "fgcolor": "rgba(0,0,0,0.6)",
                "solidity": 0.2,
            }
            more[f"error_{value}"] = error_bars(values, ends)
            more["customdata"] = [interval_text(*both, percent) for both in ends]
            hover += " %{customdata}"
        figure.add_bar(
            x=across,
            y=along,
            name=name,
            orientation="h" if horizontal else "v",
            marker=marker,
            hovertemplate=f"%{{{label}}}: {hover}<extra>{name}</extra>",
            **more,
        )
    bars = len(labels) * (1 if intervals is None else len(series))
    height = 90 + _BAR_HEIGHT * max(bars, len(labels)) if horizontal else 320
    height += 20 if horizontal and value_title else 0
    lay_out(figure, height, len(series))
    labelled, measured = ("yaxis", "xaxis") if horizontal else ("xaxis", "yaxis")
    # "category": else "1" and "3–4" would be taken for numbers or dates.
    figure.update_layout(
        {
            labelled: {
                "type": "category",
                "automargin": True,
                "fixedrange": True,
                "tickangle": 0,
                "ticks": "outside",
                "ticklen": 6,
                "tickcolor": "rgba(0,0,0,0)",
            },
            measured: {
                "tickformat": ".0%" if percent else ",d",
                "rangemode": "tozero",
                "automargin": True,
                "fixedrange": True,
                "zeroline": False,
                "gridcolor": "#888888",
                "nticks": 6 if intervals is None else 5,
                "tickangle": None if intervals is None else 0,
                "title": axis_title(value_title),
            },
        }
    )
    if horizontal:
        figure.update_yaxes(autorange="reversed", dtick=1)
    return figure


def curve_chart(
    places: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_title: str,
    y_title: str,
    percent: bool = False,
    marked: bool = False,
    intervals: Mapping[str, Ends] | None = None,
) -> "Figure":
    """Draw lines over a common axis, shares over shares, each with its interval as a band.

    More than `MOST_BANDS` lines have none; their intervals are shown while a place is pointed at.

    Args:
        places: on the axis, [0, 1].
        series: for each name, one share per place, [0, 1].
        x_title: what the axis is.
        y_title: what the shares are of.
        percent: places are shown in percent.
        marked: with dots and ticks at the places, between which nothing was measured.
        intervals: for each name, one interval per place.

    Example:
        >>> figure = curve_chart([0.0, 1.0], {"rmi": [1.0, 0.1]}, x_title="IoU", y_title="share")
        >>> [tuple(line.y) for line in figure.data]
        [(1.0, 0.1)]
    """
    from plotly import graph_objects

    figure = graph_objects.Figure()
    for number, (series_name, values) in enumerate(series.items()):
        name, color = html.escape(series_name), series_style(SERIES_COLORS, number)
        hover = (
            f"%{{x:{'.0%' if percent else '.2f'}}}: %{{y:.1%}} %{{customdata}}<extra>{name}</extra>"
        )
        ends: Ends = [(math.nan, math.nan)] * len(places)
        if intervals is not None:
            ends = intervals[series_name]
        if intervals is not None and len(series) <= MOST_BANDS:
            known = [(x, *both) for x, both in zip(places, ends, strict=True) if both[0] == both[0]]
            figure.add_scatter(
                x=[x for x, _, _ in known] + [x for x, _, _ in reversed(known)],
                y=[high for _, _, high in known] + [low for _, low, _ in reversed(known)],
                fill="toself",
                mode="none",
                fillcolor=color,
                opacity=0.25,
                hoverinfo="skip",
                showlegend=False,
            )
        figure.add_scatter(
            x=list(places),
            y=list(values),
            name=name,
            mode="lines+markers" if marked else "lines",
            marker={"size": 8, "symbol": series_style(SERIES_SYMBOLS, number)},
            cliponaxis=False,
            line={"color": color, "width": 3, "dash": series_style(_DASHES, number)},
            customdata=[interval_text(*both, percent=True) for both in ends],
            hovertemplate=hover,
        )
    lay_out(figure, 320 if len(series) <= MOST_BANDS else 460, len(series))
    axis: dict[str, Any] = {
        "fixedrange": True,
        "automargin": True,
        "zeroline": False,
        "gridcolor": "#888888",
        "tickangle": 0,
        "ticks": "outside",
        "ticklen": 6,
        "tickcolor": "rgba(0,0,0,0)",
    }
    form = ".0%" if percent else ".1f"
    figure.update_xaxes(title=axis_title(x_title), tickformat=form, range=[0, 1], **axis)
    if marked:
        figure.update_xaxes(tickvals=list(places), ticklabeloverflow="allow")
        figure.update_layout(margin_r=24)
    figure.update_yaxes(title=axis_title(y_title), tickformat=".0%", range=[0, 1.02], **axis)
    return figure


def lay_out(figure: "Figure", height: int, series: int) -> None:
    """Give a figure the looks that all of a page have in common.

    Args:
        figure: to change.
        height: pixels.
        series: how many; the names of several are shown above.
    """
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        bargap=0.25,
        bargroupgap=0.06,
        font={"family": _FONT, "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        showlegend=series > 1,
        hoverlabel={"bgcolor": "#22262b", "font": {"color": "#ffffff", "family": _FONT}},
        dragmode=False,
    )


def axis_title(text: str) -> dict[str, Any]:
    """The title of an axis as Plotly takes it.

    Args:
        text: what the axis is; empty for none.
    """
    return {"text": html.escape(text), "standoff": 8, "font": {"size": 13}}


def error_bars(values: Sequence[int | float], ends: Ends) -> dict[str, Any]:
    """Intervals as lines through the values, as Plotly takes them.

    Args:
        values: of a series.
        ends: of their intervals; NaN draws none.
    """
    return {
        "type": "data",
        "symmetric": False,
        # As arrays: NaN in a list becomes null on the page, for which Plotly draws a length of 0.
        "array": np.array([high - value for value, (_, high) in zip(values, ends, strict=True)]),
        "arrayminus": np.array([value - low for value, (low, _) in zip(values, ends, strict=True)]),
        "thickness": 1.5,
        "width": 4,
    }


def interval_text(low: float, high: float, percent: bool) -> str:
    """An interval in the text that is shown while a value is pointed at; empty for NaN.

    Args:
        low: lower end.
        high: upper end.
        percent: the ends are shares.

    Example:
        >>> interval_text(0.25, 0.5, percent=True)
        '[25.0%, 50.0%]'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{low:.1%}, {high:.1%}]" if percent else f"[{low:,.4g}, {high:,.4g}]"


def series_style(values: Sequence[str], number: int) -> str:
    """The colour or form of a series; of more than there are, some have the same.

    Args:
        values: colours or forms.
        number: of the series, from 0.
    """
    return values[number % len(values)]
