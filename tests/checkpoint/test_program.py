"""Pickles are followed as torch follows them, and what is not plain is found on the way."""

import io
import pickletools
import struct
import time
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from refseg.checkpoint.archive import NotAnArchiveError, open_archive
from refseg.checkpoint.program import NotPlainError, follow
from refseg.checkpoint.reading import check_file


def program(*steps: bytes) -> io.BytesIO:
    return io.BytesIO(b"\x80\x02" + b"".join(steps) + b".")


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def honest() -> dict[str, object]:
    """All that a checkpoint of Lightning holds, state of an optimiser included."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LSTM(2, 2))
    optimizer = torch.optim.Adam(network.parameters())
    network[0](torch.ones(1, 1, 3, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 2, 5])
    return {
        "state_dict": network.state_dict(),
        "half": [torch.ones(3, dtype=kind) for kind in (torch.float16, torch.bfloat16)],
        "others": (torch.tensor([True]), torch.arange(2), torch.ones(2).byte(), torch.empty(0)),
        "shared": [tensor := torch.ones(4), tensor[1:3], tensor.view(2, 2)],
        "parameter": nn.Parameter(torch.ones(2)),
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
        "values": [None, True, 1, -1, 2**40, 1.5, "tëxt", b"bytes", (1, (2,)), {}, {-1: {"a": []}}],
        "ordered": OrderedDict(a=1),
        "counted": Counter("aab"),
    }


def test_what_torch_saves_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "honest.ckpt"
    torch.save(honest(), path)
    check_file(path)
    archive = open_archive(path)
    storages = follow(io.BytesIO(archive.program), archive.records)
    assert storages == archive.records
    assert sum(storages.values()) < path.stat().st_size == archive.size
    torch.load(path, weights_only=True)


def test_options_of_a_command_line_are_followed_where_they_may_be(tmp_path: Path) -> None:
    """`argparse.Namespace` holds attributes; any other class, or one in disguise, is refused."""
    path = tmp_path / "with_options.pth"
    torch.save({"model": torch.ones(2), "args": Namespace(lr=0.1, mha="", many=[1])}, path)
    with pytest.raises(NotPlainError, match=r"names 'argparse\.Namespace'"):
        check_file(path)
    check_file(path, and_options=True)
    torch.save({"args": Path("x")}, path)
    with pytest.raises(NotPlainError, match="it names 'pathlib"):
        check_file(path, and_options=True)
    named = b"cargparse\nNamespace\n"
    for steps in (named + b"X\x01\0\0\0a\x85R", named + b"N\x81", b"})\x81", named + b"}b"):
        with pytest.raises(NotPlainError):
            follow(program(steps), and_options=True)


def test_files_of_older_torch_are_followed_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"w": torch.ones(5)}, path, _use_new_zipfile_serialization=False)
    check_file(path, and_older=True)
    with pytest.raises(NotAnArchiveError):
        check_file(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"cpu")
    count = content.index(b"K\x05", place)
    content[count : count + 2] = b"J" + struct.pack("<i", 2**30)
    path.write_bytes(content)
    with pytest.raises(NotPlainError, match="more bytes than the file"):
        check_file(path, and_older=True)


STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([b"cos\nsystem\n"], "names 'os.system'"),
        ([b"ctorch.hub\nload\n"], "names 'torch.hub.load'"),
        ([b"ctorch\nevil.FloatStorage\n"], "names"),
        ([b"cbuiltins\nset\n"], "names"),
        ([text("x"), b")R"], "calls something"),
        ([b"ctorch\nFloatStorage\n)R"], "calls 'torch.FloatStorage'"),
        ([b"ccollections\nOrderedDict\n](", text("a"), b"K\x01\x86e\x85R"], "of something else"),
        ([b"ccollections\nOrderedDict\n)R}", text("items"), b"K\x01sb"], "attributes"),
        ([b"}}", text("_metadata"), b"K\x01sb"], "attributes"),
        ([b"c_codecs\nencode\n", text("a"), text("idna"), b"\x86R"], "encodes"),
        ([b"}G?\xf0\0\0\0\0\0\0Ns"], "no small number"),
        ([b"}J", struct.pack("<i", 2**21), b"Ns"], "no small number"),
        ([b"}K\x01K\x02\x86Ns"], "no small number"),
        ([b"]r\xff\xff\xff\x7f"], "at random"),
        ([b"}K\x01a"], "no list"),
        ([b"K\x01K\x02K\x03s"], "no dictionary"),
        ([STORAGE, b"K\x03tQ"], "says that it has 12 bytes, and there are 8"),
        ([STORAGE, b"J", struct.pack("<i", -2), b"tQ"], "says that it has -8 bytes"),
        ([STORAGE.replace(b"cpu", b"X:/"), b"K\x02tQ"], "no known device"),
        ([STORAGE.replace(b"storage", b"modules"), b"K\x02tQ"], "outside"),
        ([b"a"], "damaged"),
        ([b"h\x01"], "damaged"),
        ([b"I1\n"], r"not written by torch.save \(INT\)"),
        ([b"\x81"], r"\(NEWOBJ\)"),
    ],
)  # fmt: skip
def test_what_is_more_than_plain_is_named(steps: list[bytes], expected: str) -> None:
    with pytest.raises(NotPlainError, match=expected):
        follow(program(*steps), {"0": 8})


def test_a_pickle_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refseg.checkpoint.program._MOST_STEPS", 100)
    assert follow(program(b"](" + b"N" * 90 + b"e")) == {}
    with pytest.raises(NotPlainError, match="more than 100 steps"):
        follow(program(b"](" + b"N" * 100 + b"e"))


def test_a_storage_as_it_is_said() -> None:
    assert follow(program(STORAGE, b"K\x02tQ"), {"0": 8}) == {"0": 8}


def test_keys_that_collide_end_at_once() -> None:
    """All these integers have the hash 0: a dictionary of them takes minutes."""
    keys = [b"\x8a\x0a" + ((2**61 - 1) * i).to_bytes(10, "little") + b"N" for i in range(100_000)]
    start = time.process_time()
    with pytest.raises(NotPlainError, match="no small number"):
        follow(program(b"}(", *keys, b"u"))
    assert time.process_time() - start < 5


def test_every_step_is_one_that_torch_writes() -> None:
    """Of what torch writes, nothing is left out: its own pickle has no other steps."""
    buffer = io.BytesIO()
    torch.save(honest(), buffer)
    with zipfile.ZipFile(buffer) as archive:
        written = {step.name for step, _, _ in pickletools.genops(archive.read("archive/data.pkl"))}
    assert {"BINPERSID", "SETITEMS", "TUPLE3", "BUILD", "LONG1", "GLOBAL"} <= written


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda whole: b"#!" + whole, "no file of torch.save"),
        (lambda whole: whole + b"x", "does not end as"),
        (lambda whole: whole[:-1], "does not end as"),
        (lambda whole: whole[: len(whole) // 2], "does not end as"),
        (lambda whole: b"", "no file of torch.save"),
        (lambda whole: whole.replace(b"data.pkl", b"data.xyz"), "not one of torch.save"),
        (lambda whole: whole.replace(b"data/0", b"DATA.p"), "there are 0"),
        (lambda whole: whole.replace(b"byteorder", b"data.pkl\0"), "packed|two files"),
    ],
)  # fmt: skip
def test_archives_that_are_not_torchs(change: object, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"w": torch.ones(2)}, path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]  # a function
    with pytest.raises((NotAnArchiveError, NotPlainError), match=expected):
        check_file(path)


def test_packed_archives_are_refused_whatever_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", b"\0" * 10**8)
    assert path.stat().st_size < 200_000
    with pytest.raises(NotAnArchiveError, match="packed"):
        open_archive(path)
