"""Checked access to the fields of a record, and the handling of bad records."""

import reprlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, TypeVar

from refseg.errors import DataError

_T = TypeVar("_T")

_BEGINNING = reprlib.Repr()  # which stops early, however large or deep a value
_BEGINNING.maxlevel = 2

OnBadRecord = Literal["error", "skip"]
"""Whether a bad record ends the reading, or is left out and counted."""


class KnownGapError(DataError):
    """Something is missing in the data set as its authors publish it: reported, but not fatal."""


class BadRecords:
    """Lets the first bad record raise, or leaves bad records out and remembers why.

    Args:
        policy: `error` raises at the first one; `skip` leaves it out.

    Example:
        >>> bad = BadRecords("skip")
        >>> for record in ({"id": 1}, {}):
        ...     with bad.guard():
        ...         print(get(record, "id", int, "file.json"))
        1
        >>> bad.messages
        ["file.json: the key 'id' is missing."]
    """

    def __init__(self, policy: OnBadRecord = "error") -> None:
        self.policy = policy
        self.messages: list[str] = []
        self._guard = _Guard(self._takes)

    def guard(self) -> AbstractContextManager[None, bool]:
        """A context for the work on one record: a `DataError` in it is raised or recorded.

        A `KnownGapError` is remembered whatever the policy.
        """
        return self._guard

    def _takes(self, error: BaseException | None) -> bool:
        if not isinstance(error, DataError):
            return False
        if self.policy == "error" and not isinstance(error, KnownGapError):
            return False
        self.messages.append(str(error))
        return True


class _Guard(AbstractContextManager[None, bool]):
    # One for all records, and no generator: a data set has hundreds of thousands of them.
    def __init__(self, takes: Callable[[BaseException | None], bool]) -> None:
        self._takes = takes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return self._takes(error)


def get(record: object, key: str, kind: type[_T], where: str) -> _T:
    """The value of a key of a record, of the type that the format promises.

    Args:
        record: what should be a mapping.
        key: its key.
        kind: the type of the value; `int` means an id of at most 64 bits, and no bool.
        where: file and record, for the message.

    Raises:
        DataError: it is no mapping, lacks the key, or has a value of another type.
    """
    if type(record) is not dict and not isinstance(record, Mapping):  # the former is fast
        raise DataError(f"{where}: expected a record with the key '{key}', got {shown(record)}.")
    if key not in record:
        raise DataError(f"{where}: the key '{key}' is missing.")
    value = record[key]
    if not isinstance(value, kind) or (kind is int and not _is_id(value)):
        raise DataError(
            f"{where}: expected '{key}' to be of type {kind.__name__}, got {shown(value)}."
        )
    return value


def get_text(record: object, key: str, where: str) -> str:
    """A text, corrected if Python 2 wrote its UTF-8 bytes.

    Raises:
        DataError: as `get`.
    """
    return as_unicode(get(record, key, str, where))


def as_unicode(text: str) -> str:
    """A text whose UTF-8 was read as Latin-1, put right; any other text as it is.

    Example:
        >>> as_unicode("cafÃ©"), as_unicode("café")
        ('café', 'café')
    """
    if text.isascii():
        return text
    try:
        text = text.encode("latin1").decode("utf-8")
        text.encode("utf-8")
    except UnicodeError:
        text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    return text


def shown(value: object) -> str:
    """A value with its type, short enough for a message."""
    text = _BEGINNING.repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:37] + '…'}"


def _is_id(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
