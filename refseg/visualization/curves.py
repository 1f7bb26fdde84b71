"""Overall IoU as a curve over the words read, drawn by matplotlib."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8


def word_curves(
    curves: Mapping[str, Mapping[int, float]],
) -> UInt8[np.ndarray, " height width 3"]:
    """Draw how overall IoU grows with the share of the words that are read, a line per split.

    Args:
        curves: split -> percentage of the words -> overall IoU, [0, 1].

    Example:
        >>> word_curves({"val": {50: 0.4, 100: 0.6}}).shape
        (600, 975, 3)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(6.5, 4.0), dpi=150)
    axes = figure.subplots()
    for split, points in curves.items():
        percentages = sorted(points)
        axes.plot(percentages, [100 * points[p] for p in percentages], marker="o", label=split)
    axes.set_xticks(sorted({percentage for points in curves.values() for percentage in points}))
    axes.set_ylim(bottom=0.0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter())
    axes.set_xlabel("words read")
    axes.set_ylabel("overall IoU")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib has no annotations here
    pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]  # as above
    return np.asarray(pixels)[..., :3].copy()
