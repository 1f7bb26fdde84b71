"""Pickles of plain data are read; those that would call something are refused, and do not."""

import os
import pickle
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from refseg.data.readers.pickles import _is_plain, load_python2_pickle
from refseg.data.readers.records import shown
from refseg.errors import DataError

from ..fake_refer import python2_pickle

PLAIN = [{"ref_id": 1, "sentences": [{"sent": "a red box"}], "box": (1.5, None, True, 2**40)}]


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_reads_what_python2_wrote(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(python2_pickle(PLAIN, protocol))
    assert load_python2_pickle(path) == PLAIN


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_what_python3_wrote(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps(PLAIN, protocol))
    assert load_python2_pickle(path) == PLAIN


def test_every_byte_survives(tmp_path: Path) -> None:
    every_byte = bytes(range(256))
    path = tmp_path / "refs.p"
    path.write_bytes(b"T\x00\x01\x00\x00" + every_byte + b".")
    text = load_python2_pickle(path)
    assert isinstance(text, str)
    assert text.encode("latin1") == every_byte


class _Reduce:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _attacks(command: str) -> dict[str, bytes]:
    argument = command.encode()
    attacks = {
        f"reduce, protocol {protocol}": pickle.dumps([_Reduce(command)], protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    }
    short = b"U" + bytes([len(argument)]) + argument
    return attacks | {
        "inst": b"(S'" + argument + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\n" + short + b"o.",
        "newobj": b"\x80\x02cos\nsystem\n" + short + b"\x85\x81.",
        "eval": b"c__builtin__\neval\n(S'open(" + b'"' + b"x" + b'"' + b")'\ntR.",
        "class without a call": b"\x80\x02ccollections\nOrderedDict\n.",
    }


@pytest.mark.parametrize("attack", _attacks("true"))
def test_refuses_whatever_would_be_called(tmp_path: Path, attack: str) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "refs.p"
    path.write_bytes(_attacks(f"touch {canary}")[attack])
    with pytest.raises(DataError, match="could run code, and was refused") as caught:
        load_python2_pickle(path)
    assert str(path) in str(caught.value)
    assert not canary.exists()


def test_the_attacks_work_where_nothing_is_refused(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    canary = tmp_path / "canary"
    pickle.loads(_attacks(f"touch {canary}")["reduce, protocol 2"])
    assert canary.exists()


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    whole = python2_pickle(PLAIN)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="is not a complete pickle"):
            load_python2_pickle(path)


def test_long_texts_and_long_integers(tmp_path: Path) -> None:
    """Texts of more than 255 bytes, whose lengths take four bytes, and Python 2's `1L`."""
    path = tmp_path / "refs.p"
    value = [{"raw": "x" * length, "count": 2**61} for length in (254, 255, 256, 70_000)]
    for content in (pickle.dumps(value, 2), pickle.dumps(value, 4), python2_pickle(value)):
        path.write_bytes(content)
        assert load_python2_pickle(path) == value
        # Before Python 3.11.5, `re` may lose its place behind what it does not give back
        # (https://github.com/python/cpython/issues/106052); the careful unpickler then reads on.
        assert _is_plain(content) or sys.version_info < (3, 11, 5)


def _tuples_of_tuples(depth: int) -> bytes:
    """A dictionary whose key takes 2 ** depth steps to hash."""
    doubled = b"".join(b"h%c" % n + b"h%c" % n + b"\x86q%c" % (n + 1) for n in range(depth))
    return b"\x80\x02}(K\x01q\x00" + doubled + b"N" + b"u."


# Few bytes that ask for much: of memory, at the largest index of the memo or in a length before
# anything follows, or of time.
BOMBS = {
    "memo, as text, negative": b"(lp-1\n.",
    "text of 2 GB": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "text of 2 ** 60 bytes": b"\x80\x04\x8d" + (2**60).to_bytes(8, "little") + b"abc.",
    "bytes of 2 ** 60 bytes": b"\x80\x04\x8e" + (2**60).to_bytes(8, "little") + b"abc.",
    "bytearray of 8 GB": b"\x80\x05\x96" + (2**33).to_bytes(8, "little") + b"abc.",
    "frame of 2 ** 60 bytes": b"\x80\x04\x95" + (2**60).to_bytes(8, "little") + b"].",
    "integer of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
    "integer of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "key that hashes for ever": _tuples_of_tuples(60),
    "key in a list of items": b"(" + b"h\x00" + b"d.",
    "set": b"\x80\x04\x8f(K\x01\x90.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"P1\n.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_cost_neither_memory_nor_time(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(BOMBS[bomb])
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"refs\.p is not a complete pickle"):
            load_python2_pickle(path)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def _long(value: int) -> bytes:
    """An integer as Python 2 writes it from protocol 2 on."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


# Opcodes that put one integer after the other into a dictionary: of a file, or the memo.
COLLISIONS: dict[str, tuple[bytes, Callable[[int], bytes], bytes]] = {
    "LONG1, SETITEMS": (b"\x80\x02}(", lambda key: _long(key) + b"N", b"u."),
    "LONG1, SETITEM": (b"\x80\x02}", lambda key: _long(key) + b"Ns", b"."),
    "LONG1, DICT": (b"\x80\x02(", lambda key: _long(key) + b"N", b"d."),
    "LONG, SETITEMS": (b"}(", lambda key: b"L%dL\nN" % key, b"u."),
    "INT, SETITEMS": (b"}(", lambda key: b"I%d\nN" % key, b"u."),
    "negative": (b"}(", lambda key: b"L%dL\nN" % -key, b"u."),
    "beside a tuple": (b"}(", lambda key: b"L%dL\n)" % key, b"u."),
    "memo": (b"(l", lambda key: b"p%d\n" % key, b"."),
}


@pytest.mark.parametrize("way", COLLISIONS)
def test_integers_that_collide_cost_no_time(tmp_path: Path, way: str) -> None:
    """All multiples of 2 ** 61 - 1 have the hash 0: 200,000 in a dictionary take minutes."""
    start, item, end = COLLISIONS[way]
    content = start + b"".join(item(n * (2**61 - 1)) for n in range(200_000)) + end
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(DataError, match=r"refs\.p is not a complete pickle .* more than 64 bits"):
        load_python2_pickle(path)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_keys_of_64_bits_are_read(tmp_path: Path, protocol: int) -> None:
    value = dict.fromkeys((0, -1, 2**31, 2**62, 2**63 - 1, -(2**63), 1.5, None, "a", True), "x")
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps([value, (2**200, value)], protocol))
    assert load_python2_pickle(path) == [value, (2**200, value)]


@pytest.mark.parametrize("content", [b"\x80\x02]r\xff\xff\xff\x7f.", b"(lp9999999999\n."])
def test_large_indices_of_the_memo_are_names_only(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert load_python2_pickle(path) == []
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_the_bombs_work_where_nothing_is_refused(tmp_path: Path) -> None:
    """Else the test above could not fail: 0.5 GB for twelve bytes, seconds for 130."""
    tracemalloc.start()
    pickle.loads(b"\x80\x02]r\xff\xff\xff\x01.")
    assert tracemalloc.get_traced_memory()[1] > 250_000_000
    tracemalloc.stop()
    path = tmp_path / "refs.p"
    path.write_bytes(_tuples_of_tuples(60).replace(b"}(", b"]("))  # in a list it is harmless
    assert _is_plain(_tuples_of_tuples(0)) is True
    assert _is_plain(path.read_bytes()) is False


def test_lists_that_contain_themselves(tmp_path: Path) -> None:
    """And lists of the same lists, whose text has 2 ** 50 parts: messages show their beginning."""
    path = tmp_path / "refs.p"
    path.write_bytes(b"\x80\x02]q\x00h\x00a.")
    value = load_python2_pickle(path)
    assert isinstance(value, list)
    assert value[0] is value
    assert shown(value) == "list [[[...]]]"
    doubled = b"".join(b"](h%c" % n + b"h%c" % n + b"eq%c" % (n + 1) for n in range(50))
    path.write_bytes(b"\x80\x02]q\x00" + doubled + b".")
    assert len(shown(load_python2_pickle(path))) < 60


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04zip", b"\x00" * 50])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"refs\.p is not a complete pickle"):
        load_python2_pickle(path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*absent\.p: No such file"):
        load_python2_pickle(tmp_path / "absent.p")
