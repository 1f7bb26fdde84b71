"""JSON read record by record: the same as at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refseg.data.readers.json_files import iterate_json_list, read_json_object
from refseg.errors import DataError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(value=st.lists(JSON, max_size=5), indent=st.sampled_from([None, 0, 2]))
def test_records_are_those_of_the_list(
    tmp_path_factory: pytest.TempPathFactory, value: list[Any], indent: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "list.json"
    path.write_text(json.dumps(value, indent=indent))
    assert list(iterate_json_list(path)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON list"),
        ('{"a": 1}', "expected a JSON list"),
        ("[1, 2", "after record 1; the file may have been cut short"),
        ("[1, 2,", "record 2: this is not complete JSON"),
        ("[1 2]", "after record 0"),
        ("[1, ]", "record 1: this is not complete JSON"),
        ("[1] 2", "something after the end"),
        ("[" * 100_000, "record 0: this is not complete JSON"),
    ],
)
def test_what_is_no_list(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        list(iterate_json_list(path))


def test_what_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "object.json"
    with pytest.raises(DataError, match=r"Cannot read .*object\.json: No such file"):
        read_json_object(path)
    path.write_text("[]")
    with pytest.raises(DataError, match=r"expected a JSON object, got list \[\]"):
        read_json_object(path)
    path.write_bytes(b'{"a":\n "caf\xe9"}')
    with pytest.raises(DataError, match=r"object\.json, line 2: expected text in UTF-8.*0xe9"):
        read_json_object(path)
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json_object(path) == {"a": 1}
