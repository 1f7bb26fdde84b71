"""Reads tables in CSV or JSON Lines as lists of numbered lines."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from refseg.data.readers.json_files import parse_json, read_text
from refseg.data.readers.records import BadRecords, shown
from refseg.errors import DataError

_DELIMITERS = ",;\t"
_FIELD_LIMIT = 2**26  # characters: a polygon can be longer than the 131,072 that csv allows


class Line(NamedTuple):
    """A record of a table.

    Args:
        record: file and line, for messages.
        number: of the record, from 1; a header is not counted.
        values: by the name of their column.
    """

    record: str
    number: int
    values: Mapping[str, object]


def read_csv(path: Path, columns: tuple[str, ...], bad: BadRecords) -> list[Line]:
    """Read a CSV in UTF-8 with a header, separated by commas, semicolons or tabs.

    Args:
        path: the file.
        columns: which the header must have.
        bad: what becomes of lines with too many fields.

    Raises:
        DataError: the file is missing or not UTF-8, its header lacks a column, or its quotes do
            not close.
    """
    text = read_text(path)
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        return _read_csv(path, text, columns, bad)
    finally:
        csv.field_size_limit(before)


def _read_csv(path: Path, text: str, columns: tuple[str, ...], bad: BadRecords) -> list[Line]:
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Line] = []
    header: list[str] | None = None
    number = 0
    while True:
        record = f"{path}, line {reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DataError(f"{record}: this is not CSV ({error}).") from None
        if not any(field.strip() for field in row):
            continue
        if header is None:
            header = [name.strip().lower() for name in row]
            if missing := [name for name in columns if name not in header]:
                raise DataError(
                    f"{record}: the column{'s' * (len(missing) > 1)} {', '.join(missing)} "
                    f"{'are' if len(missing) > 1 else 'is'} missing; expected a header such as "
                    f"{','.join(columns)}, got {shown(first)}."
                )
            continue
        number += 1
        with bad.guard():
            if len(row) > len(header):
                raise DataError(
                    f"{record}: expected {len(header)} fields as in the header, got {len(row)}; "
                    "put texts that contain the separator into double quotes."
                )
            lines.append(Line(record, number, dict(zip(header, row, strict=False))))
    return lines


def read_jsonl(path: Path, bad: BadRecords) -> list[Line]:
    """Read a file in UTF-8 with a JSON object on each line; empty lines do not count.

    Args:
        path: the file.
        bad: what becomes of lines that are no JSON object.

    Raises:
        DataError: the file is missing or not UTF-8.
    """
    lines: list[Line] = []
    number = 0
    for position, text in enumerate(read_text(path).split("\n"), 1):
        if not text.strip():
            continue
        number += 1
        record = f"{path}, line {position}"
        with bad.guard():
            values = parse_json(text, record)
            if not isinstance(values, dict):
                raise DataError(f"{record}: expected a JSON object, got {shown(values)}.")
            lines.append(Line(record, number, values))
    return lines
