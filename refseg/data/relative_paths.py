"""Stores paths relative to a root, so that they stay right when its folder is moved."""

import os
from collections.abc import Iterable
from pathlib import Path


def relative_to_root(paths: Iterable[str], root: Path) -> list[str]:
    """Each path without the root where it lies under it, else absolute.

    Example:
        >>> relative_to_root(["data/images/a.jpg", "/other/b.jpg"], Path("data"))
        ['images/a.jpg', '/other/b.jpg']
    """
    heads = [head_of(root), head_of(root.absolute()), head_of(root.resolve())]
    found = []
    for path in paths:
        is_absolute = path.startswith(os.sep)
        # A root that is the working directory has no head: it fits whatever is not absolute.
        fitting = (one for one in heads if path.startswith(one) and (one or not is_absolute))
        head = next(fitting, None)
        found.append(str(Path(path).absolute()) if head is None else path[len(head) :])
    return found


def under_root(paths: Iterable[str], root: Path) -> list[str]:
    """The paths that `relative_to_root` was given.

    Example:
        >>> under_root(["images/a.jpg", "/other/b.jpg"], Path("data"))
        ['data/images/a.jpg', '/other/b.jpg']
    """
    head = head_of(root)
    return [path if path.startswith(os.sep) else head + path for path in paths]


def head_of(root: Path) -> str:
    """What the paths of everything under a root begin with."""
    return "" if root == Path() else f"{root}{os.sep}".replace(os.sep * 2, os.sep)
