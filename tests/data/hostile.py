"""Strategies of hypothesis that damage annotations: in their structure, and byte by byte."""

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st


class _Operation(NamedTuple):
    name: str


DELETE, REPEAT = _Operation("delete"), _Operation("repeat")

DEEP = "a list in a list in a list …"
"""Stands for a value that is nested deeply, but not too deeply for JSON; see `to_json`."""

HOSTILE: list[Any] = [
    DELETE,
    DELETE,
    REPEAT,
    REPEAT,
    None,
    True,
    -1,
    0,
    1,
    112,
    65_535,
    10**9,
    2**31,
    2**63,
    10**30,
    -0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "  ",
    "...",
    "trän | val",
    "caf\xc3\xa9",
    "\ud800",
    "a\0b",
    "../../../etc/passwd",
    "x" * 3000,
    DEEP,
    "112_1",
    [],
    {},
    [[]],
    [None],
    [[1, 2, 3, 4]],
    [[1, 2, float("nan"), 4, 5, 6]],
    [[-1e9, 0, 1e9, 0, 1e9, 1e9]],
    [[[1, 2]], [[1, 2], [3, 4]]],
    [0, 0, 10**9, 10**9],
    [10**9, 10**9],
    {"size": [1, 1], "counts": "01"},
    {"size": [10**9, 10**9], "counts": [10**18]},
    {"size": [30, 40], "counts": [600, 2**31, 1]},
    {"size": [30, 40], "counts": "\xff~0"},
]

CHUNKS = [
    b"",
    b"\0" * 8,
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"[" * 20_000,
    b'{"a":' * 5000,
    b'"',
    b"\\ud800",
    b",",
    b";\n",
    b"\r",
    b"\xe9",
    b"\x3b\x9a\xca\x00\x3b\x9a\xca\x00",  # 10^9 twice, as the header of a PNG has it
    b"\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x08",
]


def to_json(value: object) -> str:
    """The JSON of a value, with `DEEP` as it is meant."""
    return json.dumps(value).replace(json.dumps(DEEP), "[" * 700 + "]" * 700)


def _places(value: object, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """All (container, key) within a value."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            _places(value[key], found)
    return found


def _damage(value: Any, place: int, hostile: object) -> None:  # noqa: ANN401  # any JSON
    places = _places(value, [])
    if not places:
        return
    container, key = places[place % len(places)]
    if hostile is DELETE:
        del container[key]
    elif hostile is not REPEAT:
        container[key] = copy.deepcopy(hostile)
    elif isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        other = list(container)[place % len(container)]
        container[other] = copy.deepcopy(container[key])


def damaged(make: Callable[[], Any]) -> st.SearchStrategy[Any]:
    """A value with one to four of its parts removed, repeated, or replaced by something hostile.

    Args:
        make: builds the value anew.
    """
    steps = st.lists(
        st.tuples(st.integers(0, 10_000), st.sampled_from(HOSTILE)), min_size=1, max_size=4
    )

    def apply(chosen: list[tuple[int, object]]) -> Any:  # noqa: ANN401  # any JSON
        value = make()
        for place, hostile in chosen:
            _damage(value, place, hostile)
        return value

    return steps.map(apply)


def damaged_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """A file that was cut short, or that has some bytes changed, removed or put in.

    Args:
        content: the file as it should be.
    """
    position = st.integers(0, len(content))
    cut = position.map(lambda at: content[:at])
    steps = st.lists(
        st.tuples(position, st.integers(0, 6), st.sampled_from(CHUNKS) | st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    )

    def apply(chosen: list[tuple[int, int, bytes]]) -> bytes:
        value = content
        for at, removed, chunk in chosen:
            value = value[:at] + chunk + value[at + (removed or len(chunk)) :]
        return value

    others = st.sampled_from(["utf-16", "utf-8", "cp500"]).map(lambda name: _recode(content, name))
    return st.one_of(cut, steps.map(apply), steps.map(apply), others)


def _recode(content: bytes, encoding: str) -> bytes:
    return content.decode("latin-1").encode(encoding)
