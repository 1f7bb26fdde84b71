"""Pictures of data and predictions: masks over photographs, sheets, word-by-word strips, pages.

Arrays go in, arrays come out (RGB, 0–255), ready for a PNG file or a logger. Charts go onto web
pages. The public names stand in `__init__.pyi`; each is imported when it is asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
