"""The runs of a random search: drawn once and for all, by a seed."""

import random
from collections.abc import Mapping
from typing import Any

from refseg.sweeps.distributions import Distribution

_MOST_REPEATS = 200


def draw(space: Mapping[str, Distribution], count: int, seed: int) -> list[dict[str, Any]]:
    """Draw combinations of values, no two of them alike.

    A value follows from the seed, the number of the draw and the name of its parameter alone. So
    the same file has the same runs each time, more runs begin with those of fewer, and a parameter
    that is added leaves the values of the others as they are.

    Args:
        space: the distribution of each parameter.
        count: how many combinations; there are fewer where there are not as many.
        seed: of the random numbers.
    """
    found: dict[str, dict[str, Any]] = {}
    number = repeats = 0
    while len(found) < count and repeats < _MOST_REPEATS:
        drawn = {
            name: distribution.quantile(_share(f"{seed}/{number}/{name}"))
            for name, distribution in space.items()
        }
        number += 1
        if repr(drawn) in found:
            repeats += 1
        else:
            found[repr(drawn)], repeats = drawn, 0
    return list(found.values())


def _share(text: str) -> float:
    """A number above 0 and below 1."""
    return random.Random(text).random() or 0.5
