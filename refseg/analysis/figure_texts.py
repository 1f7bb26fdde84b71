"""Figures, differences and p-values as tables write them; in percent."""

import math

from refseg.analysis.comparison import Figure
from refseg.analysis.verdict import p_text
from refseg.evaluation.bootstrap import Difference, Interval

UNKNOWN = "–"


def percent(value: float) -> str:
    """A share in percent, with two decimals; a dash where it is not known.

    Example:
        >>> percent(0.61234), percent(math.nan)
        ('61.23', '–')
    """
    return f"{100 * value:.2f}" if math.isfinite(value) else UNKNOWN


def interval_text(interval: Interval) -> str:
    """The ends of an interval in percent; nothing where there are none.

    Example:
        >>> interval_text(Interval(0.5, 0.4812, 0.5234))
        '[48.1, 52.3]'
    """
    if not math.isfinite(interval.low):
        return ""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def figure_text(figure: Figure, with_both: bool = True) -> str:
    """A figure with the deviation of its seeds, and its interval.

    Args:
        figure: the figure.
        with_both: show the interval also where there is a deviation.
    """
    parts = [percent(figure.interval.value)]
    if figure.deviation is not None:
        parts.append(f"± {percent(figure.deviation)}")
    if figure.deviation is None or with_both:
        parts.append(interval_text(figure.interval))
    return " ".join(filter(None, parts))


def difference_text(difference: Difference | None) -> str:
    """A difference with its sign and its interval, in points; a dash where it is not known.

    Example:
        >>> difference_text(Difference(0.012, -0.003, 0.0274, 0.1))
        '+1.20 [-0.3, +2.7]'
    """
    if difference is None or not math.isfinite(difference.value):
        return UNKNOWN
    text = f"{100 * difference.value:+.2f}"
    if math.isfinite(difference.low):
        text += f" [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    return text


def bare_p_text(p_value: float | None) -> str:
    """A p-value below a heading that says so; a dash where there is none.

    Example:
        >>> bare_p_text(0.0421), bare_p_text(0.00002), bare_p_text(None)
        ('0.042', '< 0.001', '–')
    """
    return UNKNOWN if p_value is None else p_text(p_value).removeprefix("p ").removeprefix("= ")
