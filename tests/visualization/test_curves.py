"""Pictures of curves."""

import numpy as np

from refseg.visualization import word_curves


def test_higher_figures_stand_higher() -> None:
    """The lines of two splits, found by their colours, end where their figures put them."""
    picture = word_curves({"val": {50: 0.2, 100: 0.4}, "testA": {50: 0.6, 100: 0.8}}).astype(int)
    blue, orange = (31, 119, 180), (255, 127, 14)
    tops = [(np.abs(picture - color).sum(-1) < 12).nonzero()[0].min() for color in (blue, orange)]
    assert tops[1] < tops[0]
