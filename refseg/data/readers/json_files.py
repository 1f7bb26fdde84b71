"""JSON files of annotations: whole, or one record at a time where they are large."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from refseg.data.readers.records import shown
from refseg.errors import DataError

_BETWEEN = re.compile(r"[ \t\n\r]*")


def read_text(path: Path) -> str:
    """The content of a text file in UTF-8, with or without a byte order mark.

    Raises:
        DataError: the file is missing or is not UTF-8; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"Cannot read {path}: {error.strerror or error}; check the path and its permissions."
        ) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: expected text in UTF-8, got the byte "
            f"0x{data[error.start]:02x}; save the file as UTF-8."
        ) from None


def parse_json(text: str, where: str) -> object:
    """The value of a JSON text.

    Args:
        text: the text.
        where: file and record, for messages.

    Raises:
        DataError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: this is not complete JSON ({error}).") from None


def read_json_object(path: Path) -> dict[str, object]:
    """The content of a file that holds one JSON object.

    Raises:
        DataError: the file is missing, cut short, or holds something else.
    """
    content = parse_json(read_text(path), f"{path} (download or unpack it again)")
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, got {shown(content)}.")
    return content


def iterate_json_list(path: Path) -> Iterator[object]:
    """The records of a file that holds one JSON list, one at a time.

    PhraseCut's training file has 344 MB of text, and more than ten times as much as Python
    objects; so only one record at a time becomes objects.

    Raises:
        DataError: the file is missing, cut short, or holds no list; names the record.
    """
    text = read_text(path)
    decoder = json.JSONDecoder()
    number = 0
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise DataError(f"{path}: expected a JSON list of records.")
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        at += 1
    else:
        while True:
            try:
                record, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{path}, record {number}: this is not complete JSON ({error}); the file may "
                    "have been cut short: download or unpack it again."
                ) from None
            yield record
            number += 1
            at = _skip(text, at)
            following = text[at : at + 1]
            at = _skip(text, at + 1)
            if following == "]":
                break
            if following != ",":
                raise DataError(
                    f"{path}: expected a comma or the end of the list after record {number - 1}; "
                    "the file may have been cut short: download or unpack it again."
                )
    if _skip(text, at) != len(text):
        raise DataError(f"{path}: there is something after the end of its list.")


def _skip(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()
