"""Referring image segmentation: a picture and a sentence go in, a mask comes out."""

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refseg.data.refer_api import REFER
    from refseg.inference.pipeline import load

__all__ = ["REFER", "__version__", "load"]

__version__ = version("refseg")


def __getattr__(name: str) -> object:
    """Import what needs torch when it is asked for: `refseg --help` does not."""
    if name == "load":
        from refseg.inference.pipeline import load

        return load
    if name == "REFER":
        from refseg.data.refer_api import REFER

        return REFER
    raise AttributeError(f"module 'refseg' has no attribute '{name}'")
