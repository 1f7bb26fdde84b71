"""A checkpoint is the old one or the new one, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from refseg.errors import CheckpointError
from refseg.training import AtomicCheckpointIO

WRITE = """
import resource, sys, torch
from refseg.training import AtomicCheckpointIO
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
while True:
    for number in range(100):
        AtomicCheckpointIO().save_checkpoint({"numbers": torch.full((10**6,), number)}, sys.argv[1])
        print(number, flush=True)
"""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint({"numbers": torch.arange(3)}, str(path))
    content = AtomicCheckpointIO().load_checkpoint(path, weights_only=True)
    assert content["numbers"].tolist() == [0, 1, 2]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert [*path.parent.iterdir()] == [path]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
def test_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint({"numbers": torch.arange(3)}, path)
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), "100000"],
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"refseg.errors.CheckpointError: Cannot write the checkpoint {path}: ")
    assert "File too large; the one that was there before is untouched." in last
    assert torch.load(path, weights_only=True)["numbers"].tolist() == [0, 1, 2]
    assert [*tmp_path.iterdir()] == [path], "nothing half-written stays"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"Cannot write the checkpoint .*: File exists\."):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "file" / "a.ckpt")


def test_what_torch_cannot_save_stays_torchs_error(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, TypeError), match=r"pickle|local"):
        AtomicCheckpointIO().save_checkpoint({"a": lambda: None}, tmp_path / "a.ckpt")
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_writer_that_is_killed_leaves_a_whole_one_and_nothing_for_long(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), "0"], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    before = time.monotonic()
    while not [*tmp_path.glob(".a-*.ckpt")] and time.monotonic() < before + 20:
        pass  # it is writing when there is a temporary file
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    numbers = torch.load(path, weights_only=True)["numbers"]
    assert len(numbers) == 10**6
    assert len(numbers.unique()) == 1
    AtomicCheckpointIO().save_checkpoint({"numbers": torch.arange(3)}, path)
    assert [*tmp_path.iterdir()] == [path]
