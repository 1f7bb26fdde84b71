"""Reads Python-2 pickles of plain data without executing anything in them."""

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from refseg.errors import DataError

_KEYS = (str, bytes, int, float, type(None))
_KEY_RANGE = range(-(2**63), 2**63)
"""Integers as keys lie in here. Python's hash of an integer is its remainder modulo 2⁶¹ minus 1, so
that the multiples of that number are all put in one place, and n of them take n² steps."""

_WITH_LENGTH = (b"T", b"X", b"B")  # texts and bytes with a length of four bytes


class _ForbiddenGlobalError(pickle.UnpicklingError):
    """The pickle names a class or a function."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds lists, dictionaries, numbers and texts; refuses to look up anything by name.

    Every way in which a pickle can call something (reduce, inst, obj, newobj, build) begins with a
    class or a function that is found by name, so that refusing the names refuses the calls.
    """

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise _ForbiddenGlobalError(f"{module}.{name}")


class _Opcodes(dict[int, Callable[[Any], None]]):
    def __missing__(self, opcode: int) -> NoReturn:
        raise pickle.UnpicklingError(f"the opcode {chr(opcode)!r} is not of plain data")


class _CarefulUnpickler(pickle._Unpickler):  # private, but stable since 3.0
    """The same in pure Python, several times slower, which takes tuples as well.

    Its memo is a dictionary, so that no index takes memory; no tuple is hashed, as hashing tuples
    of tuples of the same tuples takes time without end; and no integer that others may collide
    with, neither as a key nor as an index of the memo.
    """

    dispatch = _Opcodes(
        (opcode[0], pickle._Unpickler.dispatch[opcode[0]])
        for opcode in (
            *(b"(", b".", b"0", b"1", b"I", b"L", b"F", b"S", b"V", b"N", b"K", b"M", b"J"),
            *(b"U", b"T", b"X", b"B", b"C", b"\x8c", b"\x8a", b"G", b"\x88", b"\x89", b"]", b"}"),
            *(b"l", b"d", b"a", b"e", b"s", b"u", b"t", b")", b"\x85", b"\x86", b"\x87", b"p"),
            *(b"q", b"r", b"g", b"h", b"j", b"\x94", b"\x80", b"\x95", b"c", b"i", b"\x93"),
        )
    )

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise _ForbiddenGlobalError(f"{module}.{name}")

    stack: list[object]
    memo: dict[int, object]
    readline: Callable[[], bytes]

    def _checked(self, items: list[object]) -> None:
        for key in items[::2]:
            if not isinstance(key, _KEYS):
                raise pickle.UnpicklingError(f"a {type(key).__name__} as a key of a dictionary")
            if isinstance(key, int) and key not in _KEY_RANGE:
                raise pickle.UnpicklingError("a key of a dictionary has more than 64 bits")

    def _set_item(self) -> None:
        self._checked(self.stack[-2:])
        pickle._Unpickler.load_setitem(self)  # type: ignore[attr-defined]

    def _set_items(self) -> None:
        self._checked(self.stack)
        pickle._Unpickler.load_setitems(self)  # type: ignore[attr-defined]

    def _make_dictionary(self) -> None:
        self._checked(self.stack)
        pickle._Unpickler.load_dict(self)  # type: ignore[attr-defined]

    def _put(self) -> None:
        index = int(self.readline()[:-1])
        if index < 0 or index not in _KEY_RANGE:
            raise pickle.UnpicklingError("a negative index, or one of more than 64 bits")
        self.memo[index] = self.stack[-1]

    dispatch[pickle.PUT[0]] = _put
    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.DICT[0]] = _make_dictionary


def load_python2_pickle(path: Path) -> object:
    """Read a pickle of plain data, as Python 2 wrote it, and run nothing that it contains.

    The annotations of the REFER data sets are published as pickles, and a pickle can call any
    function of the machine that opens it, or make it reserve any amount of memory. These are lists
    of dictionaries of numbers and texts, so nothing is lost by refusing the rest. Python 2's byte
    strings become texts in Latin-1, one character per byte: that never fails, and UTF-8 can be
    recovered from it.

    Args:
        path: the pickle file.

    Raises:
        DataError: the file is missing, is no pickle, is cut short, or would call something.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"Cannot read {path}: {error.strerror or error}; check the path and its permissions."
        ) from None
    unpickler = _PlainUnpickler if _is_plain(content) else _CarefulUnpickler
    try:
        return unpickler(io.BytesIO(content), encoding="latin1").load()
    except _ForbiddenGlobalError as error:
        raise DataError(
            f"{path} is not a pickle of plain data: it asks for {str(error)[:100]!r}, which could "
            "run code, and was refused. Do not open it with pickle.load; download the annotations "
            "again from a source that you trust."
        ) from None
    except Exception as error:  # whatever a broken stream makes the unpickler stumble over
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(
            f"{path} is not a complete pickle ({reason}); the file may have been cut short: "
            "download or unpack it again."
        ) from None


def _is_plain(content: bytes) -> bool:
    """Whether C's unpickler can be trusted: plain opcodes, no long integer, a memo in order.

    That unpickler reserves room for as many places as the largest index, so that ten bytes could
    cost gigabytes. Honest indices count up, and each takes three bytes and more of the file. It
    takes integers of any length as keys, too; honest files have none of more than 64 bits at all.
    """
    run_of_opcodes = _plain_opcodes(len(content) // 3)
    position = 0
    while True:
        found = run_of_opcodes.match(content, position)
        assert found  # an empty run, at least
        position = found.end()
        opcode = content[position : position + 1]
        if opcode == b".":
            return True
        length = int.from_bytes(content[position + 1 : position + 5], "little")
        if opcode not in _WITH_LENGTH or length < 256 or position + 5 + length >= len(content):
            return False
        position += 5 + length


def _plain_opcodes(largest: int) -> re.Pattern[bytes]:
    """A run of opcodes with their arguments (texts of at most 255 bytes); `.` ends a pickle.

    Args:
        largest: index that a value may be remembered under, or slightly more.
    """
    lengths = [(re.escape(bytes([length])), length) for length in range(256)]
    counted = b"|".join(b"%b.{%d}" % each for each in lengths)
    counted_to_eight = b"|".join(b"%b.{%d}" % each for each in lengths[:9])
    counted_in_four = b"|".join(rb"%b\x00\x00\x00.{%d}" % each for each in lengths)
    digits = b"%d" % largest
    many = b"[0-%c][0-9]{%d}" % (digits[0], len(digits) - 1)
    third = re.escape(bytes([min(largest >> 16, 255)]))
    alternatives = [
        rb"[(N\]}aelsdu\x88\x89\x94]",
        rb"[FSV][^\n]*+\n",
        rb"I-?[0-9]{1,19}\n",
        rb"L-?[0-9]{1,19}L?\n",
        rb"p(?:%b|[0-9]{0,%d})\n" % (many, len(digits) - 1),
        rb"g[0-9]++\n",
        rb"[Kqh\x80].",
        rb"M..",
        rb"[Jj].{4}",
        rb"r..[\x00-%b]\x00" % third,
        rb"[G\x95].{8}",
        rb"[UC\x8c](?:%b)" % counted,
        rb"\x8a(?:%b)" % counted_to_eight,
        rb"[TXB](?:%b)" % counted_in_four,
    ]
    return re.compile(b"(?s:" + b"|".join(alternatives) + b")*+")
