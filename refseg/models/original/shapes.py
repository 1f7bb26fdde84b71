"""The widths of a model from its variables, and what is wrong with them, all at once.

Shapes are written with the letters of the widths, as in `("E+H", "4H")` for the kernel of an LSTM.
Every axis is then an equation, and the widths are their solution. Where there is none, the least
number of variables without which there is one are those that are misshapen.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType

import numpy as np
from torch import Tensor

from refseg.errors import ConfigError

Shape = tuple[str | int, ...]
_TERM = re.compile(r"(\d*)([A-Z]?)")
_Widths = dict[str, int | None]


def infer_widths(
    patterns: Mapping[str, Shape], variables: Mapping[str, Tensor], optional: Iterable[str] = ()
) -> dict[str, int]:
    """Check that the variables are those of the model, and return its widths.

    Args:
        patterns: the shape of every variable of the model.
        variables: what there is.
        optional: variables that may be absent.

    Raises:
        ConfigError: variables are missing, superfluous or misshapen; all of them are named.

    Example:
        >>> import torch
        >>> patterns = {"kernel": ("E+H", "4H"), "bias": ("4H",), "embedding": ("V", "E")}
        >>> shapes = {"kernel": (5, 8), "bias": (8,), "embedding": (7, 3)}
        >>> infer_widths(patterns, {name: torch.zeros(shape) for name, shape in shapes.items()})
        {'E': 3, 'H': 2, 'V': 7}
    """
    shapes = {name: tuple(variables[name].shape) for name in patterns if name in variables}
    widths, misshapen = _widths_and_misfits(patterns, shapes)
    faults = {
        "missing": [name for name in patterns if name not in {*shapes, *optional}],
        "not of this model": [name for name in variables if name not in patterns],
        "misshapen": misshapen,
    }
    found = [f"{len(names)} {fault}: {_some(names)}" for fault, names in faults.items() if names]
    if found:
        raise ConfigError(
            f"The variables do not fit the model; of {len(patterns)} expected, {'; '.join(found)}. "
            "Check the kind of the model, and that all variables of its checkpoint are there."
        )
    return {letter: width for letter, width in widths.items() if width is not None}


def _widths_and_misfits(
    patterns: Mapping[str, Shape], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[_Widths, list[str]]:
    telling = [
        name
        for name, shape in shapes.items()
        if len(shape) == len(patterns[name]) and any(isinstance(s, str) for s in patterns[name])
    ]
    solutions: list[_Widths] = []
    for suspects in range(len(telling) + 1):
        for left_out in combinations(telling, suspects):
            trusted = {name: shapes[name] for name in telling if name not in left_out}
            widths = _solve(patterns, trusted)
            if widths is not None:
                solutions.append(widths)
        if solutions:
            break
    misfits: dict[str, str] = {}
    for widths in solutions:
        for name, shape in shapes.items():
            expected = [_size(size, widths) for size in patterns[name]]
            if not _fits(expected, shape):
                shown = ", ".join("any" if size is None else str(size) for size in expected)
                misfits.setdefault(name, f"{name} (expected ({shown}), got {shape})")
    return solutions[0], [*misfits.values()]


def _solve(patterns: Mapping[str, Shape], shapes: Mapping[str, tuple[int, ...]]) -> _Widths | None:
    """The widths that agree with all shapes; None for a width that none of them shows."""
    sizes = [size for shape in patterns.values() for size in shape]
    letters = sorted({letter for size in sizes for letter in _terms(size)} - {""})
    axes = [
        (_terms(expected), got)
        for name, shape in shapes.items()
        for expected, got in zip(patterns[name], shape, strict=True)
    ]
    equations = np.array([[terms.get(letter, 0) for letter in letters] for terms, _ in axes], float)
    equations = equations.reshape(len(axes), len(letters))
    right = np.array([got - terms[""] for terms, got in axes], float)
    solution = np.rint(np.linalg.lstsq(equations, right, rcond=None)[0])
    if not np.array_equal(equations @ solution, right):
        return None
    return {
        letter: int(width) if column.any() else None
        for letter, width, column in zip(letters, solution, equations.T, strict=True)
    }


@lru_cache
def _terms(size: str | int) -> Mapping[str, int]:
    """The coefficient of each letter, and of "" for the constant."""
    terms = {"": 0}
    for term in str(size).split("+"):
        match = _TERM.fullmatch(term)
        assert match is not None, size
        terms[match[2]] = terms.get(match[2], 0) + int(match[1] or 1)
    return MappingProxyType(terms)


def _size(expected: str | int, widths: Mapping[str, int | None]) -> int | None:
    total = 0
    for letter, count in _terms(expected).items():
        width = 1 if letter == "" else widths[letter]
        if width is None:
            return None
        total += count * width
    return total


def _fits(expected: list[int | None], shape: tuple[int, ...]) -> bool:
    return len(expected) == len(shape) and all(
        size in {None, got} for size, got in zip(expected, shape, strict=True)
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
