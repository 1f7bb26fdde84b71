"""Files that are no checkpoints, though they look like ones."""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from .attack import LOAD, TEST, Attack, Content, Write


def by_files() -> Iterator[Attack]:
    """Files whose archive or pickle is not what torch writes."""

    def pickled(*steps: bytes) -> Write:
        return lambda _, path: _archive(path, {"data.pkl": b"\x80\x02" + b"".join(steps) + b"."})

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def storage(count: bytes) -> bytes:
        start = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
        return start + count + b"tQ"

    def lying(count: bytes) -> Write:
        program = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count)
        program += b"K\x00K\x02\x85K\x01\x85\x89N" + b"tR."
        return lambda _, path: _archive(path, {"data.pkl": program, "data/0": b"\0" * 8})

    def colliding(count: int) -> bytes:
        keys = (b"\x8a\x0a" + ((2**61 - 1) * i).to_bytes(10, "little") for i in range(count))
        return b"}(" + b"".join(key + b"N" for key in keys) + b"u"

    many = b"}(" + b"".join(b"J" + struct.pack("<i", 2**24 + i) + b"N" for i in range(1000)) + b"u"
    yield from (
        Attack(name, write, (LOAD, TEST))
        for name, write in {
            "a call of os.system": pickled(b"cos\nsystem\n", text("true"), b"\x85R"),
            "a call of eval": pickled(b"cbuiltins\neval\n", text("1"), b"\x85R"),
            "a class to be made": pickled(b"csubprocess\nPopen\n)\x81"),
            "a set": pickled(b"cbuiltins\nset\n](K\x01e\x85R"),
            "keys that collide": pickled(colliding(100_000)),
            "large keys": pickled(many),
            "keys that are numbers": pickled(b"}G?\xf0\0\0\0\0\0\0Ns"),
            "two million steps": pickled(b"](" + b"N" * 2_000_000 + b"e"),
            "a memo of 2**31": pickled(b"]r\xff\xff\xff\x7f"),
            "terabytes of a tensor": lying(b"\x8a\x06" + (2**40).to_bytes(6, "little")),
            "a tensor beyond its record": lying(b"K\x10"),
            "a tensor of less than its record": lying(b"K\x01"),
            "a negative tensor": lying(b"J\xff\xff\xff\xff"),
            "changed attributes": pickled(
                b"ccollections\nOrderedDict\n)R}", text("items"), b"K\x01sb"
            ),
            "an encoding": pickled(b"c_codecs\nencode\n", text("a"), text("idna"), b"\x86R"),
            "an end that is missing": lambda _, path: _archive(path, {"data.pkl": b"\x80\x02]"}),
            "another protocol": lambda _, path: _archive(path, {"data.pkl": pickle.dumps({}, 4)}),
            "no pickle": lambda _, path: _archive(path, {"x": b""}),
            "packed files": lambda c, path: _repacked(c, path, zipfile.ZIP_DEFLATED),
            "a bomb": lambda _, path: _archive(
                path, {"data.pkl": b"\x80\x02}.", "data/0": b"\0" * 50_000_000}, packed=True
            ),
            "two files of one name": lambda c, path: _repacked(c, path, twice="DATA.PKL"),
            "a program of TorchScript": lambda c, path: _repacked(c, path, twice="constants.pkl"),
            "something in front": lambda c, path: _surrounded(c, path, before=b"#!/bin/sh\n"),
            "something behind": lambda c, path: _surrounded(c, path, after=b"PK\x05\x06" * 9),
            "half a file": lambda c, path: _surrounded(c, path, share=0.5),
            "a plain pickle": lambda c, path: path.write_bytes(pickle.dumps([1])) and None,
            "an old file of torch": lambda c, path: torch.save(
                {"a": 1}, path, _use_new_zipfile_serialization=False
            ),
            "an empty file": lambda _, path: path.write_bytes(b"") and None,
        }.items()
    )


def _archive(path: Path, members: dict[str, bytes], *, packed: bool = False) -> None:
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)


def _repacked(
    content: Content, path: Path, kind: int = zipfile.ZIP_STORED, twice: str | None = None
) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with zipfile.ZipFile(buffer) as honest, zipfile.ZipFile(path, "w", kind) as archive:
        for name in honest.namelist():
            archive.writestr(name, honest.read(name))
        if twice is not None:
            archive.writestr(f"{honest.namelist()[0].partition('/')[0]}/{twice}", b"\x80\x02}.")


def _surrounded(
    content: Content, path: Path, before: bytes = b"", after: bytes = b"", share: float = 1.0
) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    whole = buffer.getvalue()
    path.write_bytes(before + whole[: int(len(whole) * share)] + after)
