"""A grammar of hostile checkpoints: class paths, in positions, as kinds of values."""

from collections.abc import Iterator

from .attack import (
    CONFIG,
    FEATURES,
    FIT,
    LOAD,
    MODULE,
    SEGMENT,
    TEST,
    Attack,
    Ground,
    placed,
)
from .configs import by_configs
from .files import by_files
from .places import CONFIGURED, DESCRIBED, IGNORED, TEXTS
from .sizes import by_sizes, honest_architectures
from .states import by_states
from .values import KINDS, class_specifications, plain_values

__all__ = [
    "CONFIG",
    "FEATURES",
    "FIT",
    "LOAD",
    "MODULE",
    "SEGMENT",
    "TEST",
    "Ground",
    "grammar",
    "honest_architectures",
]


def grammar(ground: Ground) -> Iterator[Attack]:
    """All attacks: classes and values in all positions, and files that are no checkpoints."""
    yield from by_classes(ground)
    yield from by_values(ground)
    yield from by_sizes()
    yield from by_states(ground)
    yield from by_configs(ground)
    yield from by_files()


def by_classes(ground: Ground) -> Iterator[Attack]:
    """Each class in each position, as one kind of value after the other."""
    kinds = [*KINDS.items()]
    turn = 0
    for path, specification in class_specifications(ground).items():
        short = path.rpartition(".")[2]
        for positions, entries, may_open in (
            (DESCRIBED, (LOAD, MODULE, SEGMENT), False),
            (CONFIGURED, (TEST, FEATURES), False),
            (IGNORED, (CONFIG, CONFIG, CONFIG, TEST), True),
        ):
            for position, place in positions.items():
                kind, as_kind = kinds[turn % len(kinds)]
                entry = entries[turn % len(entries)]
                turn += 1
                name = f"{short} as {kind} in {position}"
                write = placed(place, as_kind(specification))
                yield Attack(name, write, (entry,), may_open or position in TEXTS)


def by_values(ground: Ground) -> Iterator[Attack]:
    """Each plain value in each position; some are what may stand there."""
    for kind, value in plain_values(ground).items():
        for position, place in DESCRIBED.items():
            yield Attack(f"{kind} in {position}", placed(place, value), (LOAD,), may_open=True)
        for position, place in CONFIGURED.items():
            yield Attack(f"{kind} in {position}", placed(place, value), (CONFIG,), may_open=True)
