"""Checkpoints of any origin: their files, what they hold, and the classes that they may name.

Nothing here builds a network. `reading` gives the plain content of a file, `described` the parts
that it describes, with classes that are ours or the user's own (`packages`).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refseg.checkpoint.packages import import_packages
    from refseg.checkpoint.reading import PARTS, read_checkpoint

__all__ = ["PARTS", "import_packages", "read_checkpoint"]


def __getattr__(name: str) -> object:
    """Import what needs torch when it is asked for: the help of a verb does not."""
    if name == "import_packages":
        from refseg.checkpoint.packages import import_packages

        return import_packages
    if name in {"PARTS", "read_checkpoint"}:
        from refseg.checkpoint import reading

        return getattr(reading, name)
    raise AttributeError(f"module 'refseg.checkpoint' has no attribute '{name}'")
