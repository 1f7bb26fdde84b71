"""Which classes a file from elsewhere may name.

Weights are read without executing anything, but a checkpoint also names the classes of its parts,
and to make an object of a class is to run its code.
"""

import importlib
import sys
from collections.abc import Iterator
from typing import Any

from refseg.errors import CheckpointError

TRUSTED = ("refseg", "torch", "lightning")
_FACTORIES = {"backbone", "text_encoder", "fusion", "decoder", "loss", "optimizer", "lr_scheduler"}


def check_classes(config: object, source: object) -> None:
    """Make sure that a config names parts of refseg, torch and lightning only.

    What is named must be a class of theirs, or one derived from theirs in a module that is imported
    already: who uses a fusion of their own imports it first.

    Args:
        config: nested dictionaries and lists, as in a YAML file.
        source: where it came from, for the message.

    Raises:
        CheckpointError: it names anything else.
    """
    for path in _class_paths(config):
        if not _is_trusted(path):
            raise CheckpointError(
                f"{source} names {path}, which is no class of refseg, torch or lightning; what "
                "comes from elsewhere is not run unasked. If it is yours, import its module first."
            )


def _is_trusted(path: str) -> bool:
    module, _, name = path.rpartition(".")
    if module.partition(".")[0] in TRUSTED:
        try:
            importlib.import_module(module)
        except ImportError:
            return False
    named = getattr(sys.modules.get(module), name, None)
    if not isinstance(named, type):
        return False
    return any(base.__module__.partition(".")[0] in TRUSTED for base in named.__mro__)


def _class_paths(config: Any) -> Iterator[str]:  # noqa: ANN401 - nested YAML
    if isinstance(config, list | tuple):
        for item in config:
            yield from _class_paths(item)
    if isinstance(config, dict):
        for key, value in config.items():
            if isinstance(value, str) and (key == "class_path" or key in _FACTORIES):
                yield value
            else:
                yield from _class_paths(value)
