"""Plain values of a checkpoint, as the types of arguments want them."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_LONGEST = 10_000  # characters of a text
_LARGEST = 2**63  # of a number
_DEEPEST = 8
_MOST = 200_000  # values within values; the names of ImageNet's 21,841 classes, there and back
_STRUCTURE = re.compile(r"[{}\[\]:&*!|>%@`\"'#]|^[-?]")  # what YAML takes for more than a text


class NotOfTypeError(TypeError):
    """A value is not of the type that is asked for."""


def alternatives(annotation: Any) -> list[Any]:  # noqa: ANN401 - any type
    """The types of a union, or the only one."""
    if get_origin(annotation) in (Union, UnionType):
        return [choice for part in get_args(annotation) for choice in alternatives(part)]
    return [NoneType if annotation is None else annotation]


def simple(annotation: Any, value: object) -> Any:  # noqa: ANN401 - any type
    """A number, a text, or a choice among some.

    Args:
        annotation: one type, no union.
        value: of a checkpoint.

    Raises:
        NotOfTypeError: it is something else.
    """
    if get_origin(annotation) is Literal:
        if any(type(value) is type(c) and value == c for c in get_args(annotation)):
            return value
    elif annotation in (bool, NoneType):
        if type(value) is annotation:
            return value
    elif annotation in (int, float):
        if isinstance(value, bool):
            raise NotOfTypeError
        if isinstance(value, int) and abs(value) < _LARGEST:
            return value
        if isinstance(value, float) and annotation is float and math.isfinite(value):
            return value
    elif annotation in (str, Path):
        if isinstance(value, str) and is_harmless(value):
            return value
    elif annotation in (Any, object, dict) or get_origin(annotation) in (dict, Mapping):
        return plain(value, inert=True)
    raise NotOfTypeError


def is_harmless(text: str) -> bool:
    """Whether a text is one that options have: short, on one line, and no config file."""
    is_file = text.lower().endswith((".yaml", ".yml"))
    return len(text) <= _LONGEST and text.isprintable() and not is_file


def plain(value: object, *, inert: bool = False) -> Any:  # noqa: ANN401 - nested YAML
    """Numbers, texts, and lists and dictionaries of them, where no type is asked for.

    Args:
        value: of a checkpoint.
        inert: texts are none that a parser of configs takes for lists or dictionaries.

    Raises:
        NotOfTypeError: there are other values, classes are named, or there is no end of it.
    """
    count = 0

    def check(item: object, depth: int) -> Any:  # noqa: ANN401 - nested YAML
        nonlocal count
        count += 1
        if count > _MOST or depth > _DEEPEST:
            raise NotOfTypeError
        if isinstance(item, dict):
            if "class_path" in item:
                raise NotOfTypeError
            if not all(isinstance(key, str | int) for key in item):
                raise NotOfTypeError
            return {check(key, depth + 1): check(inner, depth + 1) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [check(inner, depth + 1) for inner in item]
        if inert and isinstance(item, str) and _STRUCTURE.search(item):
            raise NotOfTypeError
        for kind in (NoneType, bool, int, float, str):
            try:
                return simple(kind, item)
            except NotOfTypeError:
                continue
        raise NotOfTypeError

    return check(value, 0)


def shown(value: object) -> str:
    """A value of unknown origin, fit for a message: short, and without control characters."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    if isinstance(value, str | int | float | bool | NoneType):
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)
        text = text[:80] + ("…" if len(text) > 80 else "")
        return f"'{text}'" if isinstance(value, str) else text
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return type(value).__name__
