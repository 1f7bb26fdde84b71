"""Where runs of a campaign lie: on one file system or on two, or on a disk that is too small."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

MEMORY = Path("/dev/shm")


class Layout(NamedTuple):
    """Where things lie.

    Args:
        run: the folder of the run.
        cache: of the data.
        temporary: the folder of temporary files.
    """

    run: Path
    cache: Path
    temporary: Path


def layout(number: int, disk: Path, memory: Path | None = None) -> Layout:
    """All on one file system, or on two, in turns.

    Args:
        number: of the attempt.
        disk: a folder on the disk.
        memory: a folder on another file system; None where there is none.
    """
    other = disk if memory is None else memory
    kinds = ((disk, disk, disk), (disk, other, other), (other, disk, disk), (disk, disk, other))
    run, cache, temporary = (place / str(number) for place in kinds[number % len(kinds)])
    return Layout(run / "run", cache / "cache", temporary / "tmp")


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None] | None]:
    """A disk of a few bytes in a folder, and how to make room on it; None where one may not mount.

    Args:
        folder: where it is mounted.
        size: bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield lambda: subprocess.run(
            ["mount", "-o", "remount,size=64m", str(folder)], check=True, capture_output=True
        )
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@contextlib.contextmanager
def another_file_system() -> Iterator[Path | None]:
    """A folder on another file system than that of temporary files; None where there is none."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        yield None
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="refseg-campaign-") as folder:
        yield Path(folder)
