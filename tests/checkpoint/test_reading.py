"""Files that are no checkpoints are refused, without running anything."""

import pickle
from pathlib import Path

import pytest
import torch

from refseg.checkpoint import read_checkpoint
from refseg.errors import CheckpointError


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """What unpickling calls."""
        return Path.touch, (self.path,)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"found none at .*none\.ckpt"):
        read_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x80\x02]", b"PK\x03\x04 zip", b"\x89PNG\r\n"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.ckpt"):
        read_checkpoint(path)


@pytest.mark.parametrize("save", [torch.save, lambda value, p: p.write_bytes(pickle.dumps(value))])
def test_a_payload_does_not_run(tmp_path: Path, save: object) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "evil.ckpt"
    save({"state_dict": Payload(trace)}, path)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=r"evil\.ckpt"):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [{"weight": torch.zeros(1)}, torch.zeros(3), [1, 2]])
def test_what_is_missing_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="lacks state_dict, hyper_parameters"):
        read_checkpoint(path)
