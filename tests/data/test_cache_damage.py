"""A cached table or its record that is damaged is made anew."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data import cache_entry
from refseg.data.cache import BESIDE, open_references

from .cached_tables import rows, table_file


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 0),
        _flip,
        Path.unlink,
    ],
    ids=["half", "empty", "one bit", "gone"],
)
def test_a_damaged_table_is_made_anew_with_one_line(
    settled_root: Path,
    builds: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
) -> None:
    expected = rows(open_references(settled_root, "fake"))
    spoil(table_file(settled_root))
    assert rows(open_references(settled_root, "fake")) == expected
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [
        f"The cached table {table_file(settled_root)} is damaged; the annotations are read again."
    ]
    assert rows(open_references(settled_root, "fake")) == expected
    assert builds.read_text() == ".."


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"format": 1}', "null", "[" * 100_000),
        f'{{"format": {cache_entry.FORMAT}, "fingerprint": [], "table": 3}}',
    ],
)
def test_a_damaged_record_is_made_anew(settled_root: Path, builds: Path, text: str) -> None:
    expected = rows(open_references(settled_root, "fake"))
    (record,) = (settled_root / "fake" / BESIDE).glob("*.json")
    record.write_text(text)
    assert rows(open_references(settled_root, "fake")) == expected
    assert builds.read_text() == ".."
