"""From fused maps to one logit per pixel, one file per way.

The public names stand in `__init__.pyi`; each is imported when it is asked for, so that a mask
needs the parts of its own network alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
