"""Pictures of data and predictions: masks over photographs, sheets, word-by-word strips, pages.

In come arrays, out come arrays (RGB, 0–255) for a PNG file or a logger, and charts and markup for
web pages. Open `overlays` first; `html/pages` for the pages. The public names stand in
`__init__.pyi`; each is imported when it is asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
