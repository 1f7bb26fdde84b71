"""How a word of a command line becomes a value of the type that a function's parameter has."""

import math
import types
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from refseg.checkpoint.packages import OPTION
from refseg.cli.suggestions import did_you_mean


@dataclass(frozen=True)
class Option:
    """What an annotation says of an argument beside its type: `Annotated[int, Option(least=1)]`.

    Args:
        names: of the option, the first one first; none: the parameter's.
        metavar: what help writes for a value; None: a name made of the type.
        least: the least number that is allowed.
        one_each: a list, of which each use of the option gives one value, not several.
        rest: a list, which takes all options that begin with one of these texts, with their values.
        behind: a list, which takes all words behind this one.
    """

    names: tuple[str, ...] = ()
    metavar: str | tuple[str, ...] | None = None
    least: int | None = None
    one_each: bool = False
    rest: tuple[str, ...] = ()
    behind: str | None = None


class Kind(NamedTuple):
    """A type, as a parser needs it.

    Args:
        read: makes a value of one word.
        words: how many make a value: 1, `+` for several (a list), a number (a tuple), 0 (a flag).
        choices: the words that are allowed; none: all.
        metavar: what help writes for a word; None: the parameter's name.
        option: what the annotation says beside the type.
    """

    read: Callable[[str], Any]
    words: int | Literal["+"]
    choices: tuple[str, ...]
    metavar: str | tuple[str, ...] | None
    option: Option


def kind_of(hint: object) -> Kind:
    """How values of an annotation are read.

    Args:
        hint: of a parameter: `str`, `int`, `float`, `bool`, `Path`, a `Literal` of texts, a
            `Sequence` or `tuple` of one of these, any of them or None, or `Annotated` with an
            `Option`.

    Raises:
        TypeError: it is another one.
    """
    option = Option()
    origin, members = get_origin(hint), get_args(hint)
    while origin in (Annotated, Union, types.UnionType):
        if origin is Annotated:
            option = next((part for part in members[1:] if isinstance(part, Option)), option)
            hint = members[0]
        else:
            (hint,) = (member for member in members if member is not type(None))
        origin, members = get_origin(hint), get_args(hint)
    if hint is bool:
        return Kind(bool, 0, (), None, option)
    if origin is tuple:
        item = kind_of(members[0])
        return Kind(item.read, len(members), (), option.metavar or item.metavar, option)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        item = kind_of(members[0])
        metavar = option.metavar or item.metavar
        return Kind(item.read, "+", item.choices, metavar, option)
    if origin is Literal:
        return Kind(_one_of(members), 1, members, option.metavar, option)
    if hint is int:
        return Kind(_whole_number(option.least), 1, (), option.metavar or "N", option)
    if hint is float:
        return Kind(_number(option.least), 1, (), option.metavar or "X", option)
    if hint is Path:
        return Kind(Path, 1, (), option.metavar or "FILE", option)
    if hint is str:
        return Kind(str, 1, (), option.metavar, option)
    raise TypeError(f"Expected a type that a word can be read as, got {hint!r}.")


def _whole_number(least: int | None) -> Callable[[str], int]:
    wanted = "a whole number" if least is None else f"a whole number from {least}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"expected {wanted}, got '{text}'") from None
        if least is not None and value < least:
            raise ArgumentTypeError(f"expected {wanted}, got {value}")
        return value

    return read


def _number(least: int | None) -> Callable[[str], float]:
    wanted = "a number" if least is None else f"a number from {least}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ArgumentTypeError(f"expected {wanted}, got '{text}'") from None
        if least is not None and not least <= value < math.inf:
            raise ArgumentTypeError(f"expected {wanted}, got {text}")
        return value

    return read


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            known = f"expected one of {', '.join(choices)}, got '{text}'."
            raise ArgumentTypeError(known + did_you_mean(text, choices))
        return text

    return read


# The types of arguments that several verbs have.
Count = Annotated[int, Option(least=1)]
"""A whole number from 1."""
Natural = Annotated[int, Option(least=0)]
"""A whole number from 0."""
Folder = Annotated[Path, Option(metavar="DIR")]
"""The path of a folder."""
Checkpoint = Annotated[Path, Option(names=("--checkpoint", "--ckpt_path"))]
"""The path of a checkpoint, by both names that the option has on all verbs."""
Packages = Annotated[Sequence[str], Option(names=(OPTION,), metavar="PACKAGE", one_each=True)]
"""Packages of the user's own."""
