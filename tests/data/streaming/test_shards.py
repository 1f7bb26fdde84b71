"""Opening a folder of shards: the same rows, and a clear word about whatever is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from refseg.data.readers import read_references
from refseg.data.streaming.shards import ShardIndex, open_shards
from refseg.errors import DataError

from .server import Server


@pytest.fixture
def own(shards: Path, tmp_path: Path) -> Path:
    """A copy of the shards that a test may change."""
    return Path(shutil.copytree(shards, tmp_path / "own"))


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / "index.json").read_text())
    edit(content)
    (folder / "index.json").write_text(json.dumps(content))


def test_the_same_rows(shards: Path, fake_root: Path, server: Server) -> None:
    folder = read_references(fake_root, "fake")
    for stream in (str(shards), f"file://{shards}", f"{shards}/", server.address):
        opened = open_shards(stream)
        assert opened.fingerprint() == folder.fingerprint()
        assert opened.splits == folder.splits
        assert opened.source == folder.source
        ours, theirs = (t.table.drop_columns(["image_path"]) for t in (opened, folder))
        assert ours.to_pylist() == theirs.to_pylist()
    assert opened.table["image_path"][0].as_py() == (
        f"{server.address}/train-000000.tar/000000/COCO_train2014_000000000001.jpg"
    )


def test_bad_records_that_were_left_out_are_remembered(own_root: Path, tmp_path: Path) -> None:
    from refseg.data.streaming.writer import write_shards

    from ..fake_refer import annotations, write_annotations

    refs, instances = annotations()
    del refs[0]["ann_id"]
    write_annotations(own_root, refs, instances)
    references = read_references(own_root, "fake", on_bad_record="skip")
    assert len(references.skipped) == 1
    write_shards(references, tmp_path / "out", "fake")
    assert open_shards(str(tmp_path / "out")).skipped == references.skipped


def test_the_index_is_read_anew(own: Path, cache: Path) -> None:
    assert len(open_shards(str(own))) == 42
    shutil.rmtree(own)
    with pytest.raises(DataError, match=r"There is no .*own/index\.json; give --data\.stream"):
        open_shards(str(own))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda index: index.update(format_version=9), r"got 'refseg shards' of version 9; pack"),
        (lambda index: index.pop("shards"), "key 'shards' is missing"),
        (lambda index: index.update(shards=[3]), "expected a record with the key"),
        (
            lambda index: index["shards"][0].update(name="../x.tar"),
            r"'\.\./x\.tar' is no file",
        ),
        (lambda index: index["shards"][0].update(name="/etc/passwd"), "no file name"),
        (lambda index: index["shards"][0].update(sha256="zz"), "no file name with size and sha256"),
        (lambda index: index["shards"][0].update(size="big"), "'size' to be of type int"),
        (lambda index: index["shards"].pop(0), r"'train-000000\.tar/.*' is in no shard"),
        (lambda index: index["splits"].update(val=[]), "expected a record with the key"),
    ],
)
def test_a_bad_index(own: Path, edit: Callable[[dict[str, Any]], None], message: str) -> None:
    change(own, edit)
    with pytest.raises(DataError, match=message):
        open_shards(str(own))


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\x80\x04]\x94.", b"[" * 100_000, b"\xff"])
def test_something_else_in_place_of_the_index(own: Path, content: bytes) -> None:
    (own / "index.json").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.json"):
        open_shards(str(own))


def rewrite(own: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    path = own / "references.arrow"
    table = edit(pa.ipc.open_file(path.read_bytes()).read_all())
    with pa.ipc.new_file(str(path), table.schema) as out:
        out.write_table(table)
    size = path.stat().st_size
    change(own, lambda index: index["references"].update(size=size))


def test_other_columns(own: Path) -> None:
    rewrite(own, lambda table: table.drop_columns(["rle"]))
    with pytest.raises(DataError, match="expected a column 'rle' of type dictionary"):
        open_shards(str(own))


def test_no_rows(own: Path) -> None:
    rewrite(own, lambda table: table.slice(0, 0))
    with pytest.raises(DataError, match="expected rows without gaps, got none"):
        open_shards(str(own))


def test_a_broken_table(own: Path) -> None:
    path = own / "references.arrow"
    content = bytearray(path.read_bytes())
    content[-300:] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Cannot read the rows in .*references\.arrow"):
        open_shards(str(own))


def test_a_shard_that_was_cut_short(own: Path) -> None:
    shard = own / "val-000000.tar"
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(DataError, match=r"val-000000\.tar has 700 bytes, but the index .* says"):
        open_shards(str(own))
    shard.unlink()
    with pytest.raises(DataError, match=r"There is no .*val-000000\.tar"):
        open_shards(str(own))


def test_json_there_and_back(shards: Path) -> None:
    text = (shards / "index.json").read_bytes()
    assert ShardIndex.from_json(text, "here").to_json().encode() == text
