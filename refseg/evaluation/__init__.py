"""How good predictions are: from logits to masks, pixel counts and figures, and tables of them.

In come logits or masks and the truth, out come figures, rows of results and tables. Open
`predictions` (logits to masks and scores) first, then `counting` (masks to pixel counts).

The public names stand in `__init__.pyi`; each is imported when it is asked for, so that a mask
needs none of the metrics.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
