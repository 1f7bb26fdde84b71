"""What a checkpoint says of objects that were made in Python: their classes and arguments."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from refseg.checkpoint.values import NotOfTypeError, plain
from refseg.errors import ConfigError


def described(value: object, place: str) -> Any:  # noqa: ANN401 - nested YAML
    """A class, or a `functools.partial` of one, as a config has it: `class_path` and `init_args`.

    What is described can be made again from a checkpoint, by any process, without running code that
    the checkpoint brings along. This is not so for functions and for objects that exist already.

    Args:
        value: a class, or a partial of one; or an argument of one, which may also be numbers,
            texts, and lists and dictionaries of them.
        place: which argument it is, for the message.

    Raises:
        ConfigError: it is something else.

    Example:
        >>> from collections import Counter
        >>> described(partial(Counter, red=2), "counter")
        {'class_path': 'collections.Counter', 'init_args': {'red': 2}}
    """
    if isinstance(value, type | partial):
        return _factory(value, place)
    if isinstance(value, list | tuple):
        return [described(item, place) for item in value]
    if isinstance(value, Path):
        return str(value)
    try:
        return plain(value)
    except NotOfTypeError:
        raise _refused(place, value) from None


def _factory(value: Callable[..., Any], place: str) -> dict[str, Any]:
    kind: Any = value.func if isinstance(value, partial) else value
    if not isinstance(kind, type):
        raise _refused(place, value)
    if kind.__module__ == "__main__" or "." in kind.__qualname__:
        raise ConfigError(
            f"A checkpoint cannot name the class {kind.__qualname__} of {kind.__module__} as "
            f"{place}: no other program finds it there. Put it into a module of its own, outside "
            f"of functions and classes, and import it. {_WITHOUT}"
        )
    arguments: dict[str, Any] = {}
    if isinstance(value, partial):
        by_place = inspect.signature(kind).bind_partial(*value.args).arguments
        arguments = {
            name: described(argument, f"{place}.{name}")
            for name, argument in {**by_place, **value.keywords}.items()
        }
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": arguments}


_WITHOUT = "To train without checkpoints: Trainer(enable_checkpointing=False)."


def _refused(place: str, value: object) -> ConfigError:
    function = value.func if isinstance(value, partial) else value
    name = getattr(function, "__qualname__", None)
    got = f"the function {name}" if name else f"an object of {type(value).__qualname__}"
    expected = "numbers, texts, or a class or functools.partial of one"
    if "." not in place:
        expected = "a class, or a functools.partial of one with plain arguments"
    return ConfigError(
        f"A checkpoint cannot describe {place}: expected {expected}, got {got}. Write, say, "
        f"partial(MyFusion, hidden_dim=8). {_WITHOUT}"
    )
