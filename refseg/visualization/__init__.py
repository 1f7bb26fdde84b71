"""Pictures of predictions: masks over photographs, sheets of examples, word-by-word strips.

Arrays go in, arrays come out (RGB, 0–255), ready for a PNG file or a logger.
"""

from refseg.visualization.files import write_mask, write_png
from refseg.visualization.overlays import PREDICTION_COLOR, TRUTH_COLOR, heat, overlay
from refseg.visualization.sheets import Example, example_sheet
from refseg.visualization.strips import word_strip

__all__ = [
    "PREDICTION_COLOR",
    "TRUTH_COLOR",
    "Example",
    "example_sheet",
    "heat",
    "overlay",
    "word_strip",
    "write_mask",
    "write_png",
]
