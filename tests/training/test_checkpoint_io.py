"""A checkpoint is the old one or the new one, whatever happens while it is written."""

import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import torch
from torch import Tensor

from refseg.errors import CheckpointError
from refseg.training import AtomicCheckpointIO

FORK = multiprocessing.get_context("fork")


def write_for_ever(path: Path, contents: list[Tensor], written: Event) -> None:
    while True:
        for numbers in contents:
            AtomicCheckpointIO().save_checkpoint({"numbers": numbers}, path)
            written.set()


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    told = f"Cannot write the checkpoint {path}: "
    large = {"numbers": torch.zeros(10**6)}
    with (
        disk_with_room_for(100_000),
        pytest.raises(CheckpointError, match=re.escape(told)) as error,
    ):
        AtomicCheckpointIO().save_checkpoint(large, path)
    assert "File too large; the one that was there before is untouched." in str(error.value)
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
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_writer_that_is_killed_leaves_a_whole_one_and_nothing_for_long(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    contents = [torch.full((10**6,), number) for number in range(5)]
    written = FORK.Event()
    writer = FORK.Process(target=write_for_ever, args=(path, contents, written), daemon=True)
    writer.start()
    assert written.wait(20)
    before = time.monotonic()
    while not [*tmp_path.glob(".a-*.ckpt")] and time.monotonic() < before + 20:
        pass  # it is writing when there is a temporary file
    writer.kill()
    writer.join()
    numbers = torch.load(path, weights_only=True)["numbers"]
    assert len(numbers) == 10**6
    assert len(numbers.unique()) == 1
    AtomicCheckpointIO().save_checkpoint({"numbers": torch.arange(3)}, path)
    assert [*tmp_path.iterdir()] == [path]
