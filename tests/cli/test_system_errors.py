"""What the system refuses or ends, told in one message, from the errors as they really are."""

import errno
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from refseg.__main__ import main
from refseg.cli.system_errors import explain_system_error
from refseg.data.dataset import ReferringDataset
from refseg.files import write_text

from ..conftest import TINY


class Deadly(Dataset[int]):
    """Its items end the process that reads them."""

    def __init__(self, end: Callable[[], object]) -> None:
        self.end = end

    def __len__(self) -> int:
        """Four items."""
        return 4

    def __getitem__(self, index: int) -> int:
        """End the process."""
        self.end()
        return index


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def message_of(function: Callable[[], object]) -> str:
    with pytest.raises((OSError, RuntimeError)) as caught:
        function()
    return str(explain_system_error(caught.value))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EROFS, "Read-only file system; choose a folder that can be written to (--output"),
        (errno.EACCES, "Permission denied; change its permissions, or choose another"),
        (errno.ENOSPC, "No space left on device; make room"),
        (errno.EMFILE, "Too many open files; allow more"),
        (errno.EISDIR, "Is a directory; a folder stands in the way; choose a file"),
        (errno.ENOENT, "No such file or directory; check the path, or choose a folder"),
        (errno.ENOTDIR, "Not a directory; a file stands in the way; choose a folder"),
    ],
)
def test_files(number: int, expected: str) -> None:
    message = explain_system_error(OSError(number, os.strerror(number), "runs/mine/best.ckpt"))
    assert str(message).startswith(f"runs/mine/best.ckpt: {expected}")


def test_a_file_has_the_name_that_the_user_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(suffix: str, prefix: str, folder: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{folder}/{prefix}12345678{suffix}")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    message = message_of(lambda: write_text(tmp_path / "report.html", "x"))
    assert message.startswith(f"{tmp_path}/report.html: Read-only file system")


def test_a_worker_that_is_killed() -> None:
    message = message_of(lambda: [*DataLoader(Deadly(kill), num_workers=1)])
    how = r"(was ended \(Killed\)|ended unexpectedly), as when memory runs out"
    assert re.search(rf"\(process \d+\) {how}", message)
    assert "--data.num_workers" in message
    bus = "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that"
    assert "/dev/shm" in str(explain_system_error(RuntimeError(bus)))


def test_a_port_that_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = message_of(lambda: torch.distributed.TCPStore("127.0.0.1", port, is_master=True))
    assert message.startswith(
        f"Expected the port {port} for the processes of this run, but another"
    )
    assert "MASTER_PORT" in message


def test_memory() -> None:
    assert "not enough main memory" in message_of(lambda: torch.empty(10**14))
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")
    assert "not enough graphics memory (CUDA out of memory. Tried to allocate 2.00 GiB)" in str(
        explain_system_error(error)
    )
    assert "--data.batch_size" in str(explain_system_error(MemoryError()))


def test_a_connection_that_is_lost() -> None:
    error = RuntimeError(
        "[../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]"
    )
    assert "lost (Connection closed by peer)" in str(explain_system_error(error))


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("Caught OSError"), KeyError(1)])
def test_what_the_system_has_no_part_in_keeps_its_traceback(error: Exception) -> None:
    assert explain_system_error(error) is None


def test_a_training_whose_worker_is_killed_ends_in_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ReferringDataset, "__getitem__", lambda *arguments: kill())
    words = ["fit", "--config", "rmi.yaml", *TINY, "--output", str(tmp_path)]
    assert main([*words, "--data.num_workers=1"]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("refseg: error: A process that reads images")
    assert "Traceback" not in message


def test_a_place_that_is_no_folder(
    photo: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(photo / "here")  # below a file
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    for words in (
        ["fit", "--config", "rmi.yaml", *TINY, "--output", place],
        ["segment", str(photo), "red star", "--checkpoint", checkpoint, "--output", place],
    ):
        assert main(words) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("refseg: error: ")
        assert "a directory" in message
