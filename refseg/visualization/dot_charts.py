"""Charts of many series over a few groups: a dot for each, with its interval, for web pages."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from refseg.visualization.charts import (
    SERIES_COLORS,
    SERIES_SYMBOLS,
    Ends,
    axis_title,
    error_bars,
    interval_text,
    lay_out,
    series_style,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_DOT_HEIGHT = 13  # pixels from one dot to the next
_BETWEEN = 12  # … and from group to group


def dot_chart(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Ends],
    value_title: str = "",
) -> "Figure":
    """Draw the shares of many series, group by group, each a dot on a line of its own.

    Bars begin at 0, and beside each other hide small differences; here the axis begins where the
    values do. Each series has a colour and a form.

    Args:
        labels: of the groups, from top to bottom.
        series: for each name, one share per label, [0, 1]; NaN draws no dot.
        intervals: for each name, one interval per label, drawn as a line; NaN draws none.
        value_title: what the values are; empty where the page says it.

    Example:
        >>> figure = dot_chart(["short", "long"], {"a": [0.5, 0.7]}, {"a": [(0.4, 0.6)] * 2})
        >>> [(tuple(dots.x), tuple(dots.y)) for dots in figure.data]
        [((0.5, 0.7), ('short', 'long'))]
    """
    from plotly import graph_objects  # takes a second, which a page needs and nothing else

    escaped = [html.escape(label) for label in labels]
    figure = graph_objects.Figure()
    for number, (series_name, values) in enumerate(series.items()):
        name, ends = html.escape(series_name), intervals[series_name]
        color = series_style(SERIES_COLORS, number)
        figure.add_scatter(
            x=list(values),
            y=escaped,
            name=name,
            orientation="h",
            offsetgroup=str(number),
            mode="markers",
            marker={
                "size": 10,
                "color": color,
                "symbol": series_style(SERIES_SYMBOLS, number),
            },
            error_x={**error_bars(values, ends), "color": color, "width": 0},
            customdata=[
                "" if math.isnan(value) else interval_text(*both, percent=True)
                for value, both in zip(values, ends, strict=True)
            ],
            hovertemplate=f"%{{y}}: %{{x:.1%}} %{{customdata}}<extra>{name}</extra>",
        )
    height = 120 + len(labels) * (len(series) * _DOT_HEIGHT + _BETWEEN)
    lay_out(figure, height, len(series))
    figure.update_layout(scattermode="group", scattergap=0.15, hovermode="closest")
    known = [
        number
        for name, values in series.items()
        for number in (*values, *(end for ends in intervals[name] for end in ends))
        if math.isfinite(number)
    ]
    # Plotly would begin at 0, which leaves little room for differences.
    margin = 0.04 * (max(known) - min(known)) + 0.005 if known else 0.0
    fixed = {"fixedrange": True, "automargin": True, "zeroline": False, "gridcolor": "#888888"}
    figure.update_xaxes(
        **fixed,
        range=[min(known) - margin, max(known) + margin] if known else [0, 1],
        tickformat=".0%",
        nticks=5,
        tickangle=0,
        title=axis_title(value_title),
    )
    # "category": else "1" and "3–4" would be taken for numbers or dates.
    figure.update_yaxes(
        **fixed, type="category", autorange="reversed", tickson="boundaries", showgrid=True, dtick=1
    )
    return figure
