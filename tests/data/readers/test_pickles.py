"""Pickles of plain data are read; those that would call something are refused, and do not."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from refseg.data.readers.pickles import load_python2_pickle
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


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04zip", b"\x00" * 50])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"refs\.p is not a complete pickle"):
        load_python2_pickle(path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*absent\.p: No such file"):
        load_python2_pickle(tmp_path / "absent.p")
