"""Referring image segmentation: a picture and a sentence go in, a mask comes out.

The public names stand in `__init__.pyi`; each is imported when it is asked for, so that
`refseg --help` needs no torch.
"""

import lazy_loader

_imported, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", *_names]


def __getattr__(name: str) -> object:
    if name == "__version__":  # the module that knows takes longer to import than all else here
        from importlib.metadata import version

        return version("refseg")
    return _imported(name)
