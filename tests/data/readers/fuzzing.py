"""What the fuzz tests have in common: mutations of records and bytes, limits, and the verdict."""

import copy
import json
import math
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from refseg.data.references import References
from refseg.errors import DataError
from refseg.masks import decode

FEW, MANY = 60, 2100

EXAMPLES = pytest.mark.parametrize(
    "examples",
    [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)],
)
"""Each fuzz test has a small version for every day and a large one for `pytest -m slow`."""

LOOKS_FOR_NEW = os.environ.get("REFSEG_FUZZ") == "random"
"""Other examples each time. Not by default: a failure shall tell of the change that was tested."""

_MEMORY = 700_000_000  # bytes that a case may reserve
_SECONDS = 30  # after which a case counts as hanging

NAN, INF = math.nan, math.inf
NASTY: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 7, 2**31, -(2**63), 2**63, 2**64, 2**200, 1.5, NAN, INF, -INF, 1e308),
    *(
        "",
        " ",
        "x",
        "a\nb\x1b[1m",
        "…",
        "testAB",
        "testBC",
        "test",
        "a|b",
        "1",
        "\ud800",
        "cafÃ©",
        "漢字",
        "\0",
    ),
    *("a" * 5000, "../x.png", "/dev/zero", "{}", "%s", [], {}, [[]], [None], [{}], [-1], [0, -1]),
    *([[1, 2, 3, 4]], [[1, 2, 3]], [[NAN] * 6], [[1e300] * 6], [[-5.0] * 8], [["1"] * 6], [True]),
    *([[0, 0, 9e4, 9e4] * 50], [[0, 0, 5, 5, 5, 0], {"size": [4, 6], "counts": "0"}]),
    *({"size": [1, 1], "counts": "0"}, {"size": [2**40, 2**40], "counts": [2**80]}),
    *({"size": [8, 9], "counts": "PPPP"}, {"size": [8, 9], "counts": [72]}, {"counts": []}),
    *({"size": [8, 9], "counts": [-1, 73]}, {"size": "8", "counts": None}, [1] * 10_000),
    *(b"bytes", b"\xff\xfe", ("a", 1), ((), ((),))),
)

Mutations = list[tuple[int, int, int]]
mutations: st.SearchStrategy[Mutations] = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.integers(0, len(NASTY) - 1)),
    min_size=1,
    max_size=3,
)
"""Where something is changed, in which way, and what it becomes."""

changes = st.tuples(
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=6),
    st.one_of(st.none(), st.integers(0, 2**20)),
    st.sampled_from(["", "utf-16", "utf-32", "utf-8-sig", "cp037", "twice", "reversed"]),
)
"""Bytes that are overwritten, where the rest is cut off, and another encoding."""


def repeatedly(examples: int) -> settings:
    """Settings of a test, with the same examples every time unless new ones are looked for."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=not LOOKS_FOR_NEW,
        suppress_health_check=list(HealthCheck),
    )


def mutated(documents: list[Any], wanted: Mutations) -> list[Any]:
    """A copy of some documents with values replaced, removed, doubled, exchanged or renamed."""
    documents = copy.deepcopy(documents)
    for place, way, nasty in wanted:
        places = list(_places(documents))
        container, key = places[place % len(places)]
        if way == 0 or container is documents:
            container[key] = copy.deepcopy(NASTY[nasty])
        elif way == 1:
            del container[key]
        elif way == 2 and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif way == 3:
            other, other_key = places[nasty % len(places)]
            container[key], other[other_key] = (
                copy.deepcopy(other[other_key]),
                copy.deepcopy(container[key]),
            )
        elif isinstance(container, dict):
            container[NASTY[16 + nasty % 15]] = container.pop(key)
    return documents


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def as_json(value: object) -> bytes:
    """JSON with NaN and lone surrogates; bytes become their text."""
    return json.dumps(value, default=repr, skipkeys=True).encode()


def changed(content: bytes, wanted: tuple[list[tuple[int, int]], int | None, str]) -> bytes:
    """Bytes overwritten, cut off, and in another encoding."""
    overwritten, kept, encoding = wanted
    result = bytearray(content)
    for place, value in overwritten:
        if result:
            result[place % len(result)] = value
    if kept is not None:
        del result[kept % (len(content) + 1) :]
    if encoding == "twice":
        return bytes(result) * 2
    if encoding == "reversed":
        return bytes(result)[::-1]
    return result.decode("latin1").encode(encoding, "replace") if encoding else bytes(result)


def judge(read: Callable[[], object], folder: Path) -> References | None:
    """Run a reader: there are good references, or one error that names a file; nothing else."""
    try:
        result = read()
    except DataError as error:
        message = str(error)
        assert str(folder) in message or "(unc)" in message
        assert "\n" not in message
        assert len(message) < 1500
        assert "MemoryError" not in message
        return None
    if not isinstance(result, References):
        return None
    assert len(result) > 0
    ids = result.table["expression_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    for row in range(len(result)):
        truth = result.truth(row)
        assert decode(truth).shape == (truth.height, truth.width)
        assert any(character.isalnum() for character in result.expressions[row].as_py())
    assert sum(len(result.split(name)) for name in result.splits) >= len(result)
    assert len(result.fingerprint()) == 64
    return result


@contextmanager
def limits() -> Iterator[None]:
    """A case that takes long is a hang; one that reserves much memory fails."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    reserved = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (reserved + _MEMORY, before[1]))
    handler = signal.signal(signal.SIGALRM, _hang)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def start_clock() -> None:
    """Give the case that begins its time."""
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)


def _hang(*_: object) -> NoReturn:
    raise TimeoutError(f"a case takes longer than {_SECONDS} seconds")
