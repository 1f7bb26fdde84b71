"""Bar charts for web pages."""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SERIES_COLORS = ("#3d85c6", "#e08a2c", "#2aa17c", "#c9609f", "#8f74d6", "#8a9099")
"""Told apart on white and on black, also by those who confuse red and green."""

_BAR_HEIGHT = 22
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def bar_chart(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int | float]],
    *,
    percent: bool = False,
    horizontal: bool = False,
) -> "Figure":
    """Draw bars, one group for each label and one colour for each series.

    Colours of letters and lines are left to the page (`write_page`), which knows whether it is dark
    or light; what stays fixed are the colours of the bars.

    Args:
        labels: of the groups, in order.
        series: for each name, one value per label; NaN draws no bar.
        percent: values are shares, shown in percent.
        horizontal: labels on the left, one below the other, which suits many or long ones.

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
        figure.add_bar(
            x=across,
            y=along,
            name=name,
            orientation="h" if horizontal else "v",
            marker={"color": SERIES_COLORS[number % len(SERIES_COLORS)], "line": {"width": 0}},
            hovertemplate=f"%{{{label}}}: %{{{value}:{form}}}<extra>{name}</extra>",
        )
    height = 90 + _BAR_HEIGHT * len(labels) if horizontal else 320
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
        showlegend=len(series) > 1,
        hoverlabel={"bgcolor": "#22262b", "font": {"color": "#ffffff", "family": _FONT}},
        dragmode=False,
    )
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
                "nticks": 6,
            },
        }
    )
    if horizontal:
        figure.update_yaxes(autorange="reversed", dtick=1)
    return figure
