"""Pictures of data and predictions: masks over photographs, sheets, word-by-word strips, pages.

Arrays go in, arrays come out (RGB, 0–255), ready for a PNG file or a logger. Charts go onto web
pages.
"""

from refseg.visualization.animation import word_frames, write_gif
from refseg.visualization.charts import bar_chart
from refseg.visualization.contact_sheet import NamedObject, Sight, contact_sheet
from refseg.visualization.curves import word_curves
from refseg.visualization.files import write_mask, write_png
from refseg.visualization.html.markup import HtmlTable
from refseg.visualization.html.pages import Section, write_page
from refseg.visualization.html.word_page import word_page
from refseg.visualization.outlines import outlined
from refseg.visualization.overlays import PREDICTION_COLOR, TRUTH_COLOR, activity, heat, overlay
from refseg.visualization.sheets import Example, example_sheet
from refseg.visualization.strips import word_strip

__all__ = [
    "PREDICTION_COLOR",
    "TRUTH_COLOR",
    "Example",
    "HtmlTable",
    "NamedObject",
    "Section",
    "Sight",
    "activity",
    "bar_chart",
    "contact_sheet",
    "example_sheet",
    "heat",
    "outlined",
    "overlay",
    "word_curves",
    "word_frames",
    "word_page",
    "word_strip",
    "write_gif",
    "write_mask",
    "write_page",
    "write_png",
]
