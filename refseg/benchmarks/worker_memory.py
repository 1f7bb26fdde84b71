"""How much memory each worker of a data loader holds for itself."""

import multiprocessing
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

EXPLANATION = (
    "A worker's own memory is what would be free if it ended: pages that it alone has written, "
    "none of which there are when it is forked; files that are mapped and batches that are on "
    "their way to the main process do not count. At the end it rests; at the most it makes a batch."
)
"""What the figures mean, in one sentence."""

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ (\S{4}) ")


@dataclass(frozen=True)
class WorkerMemory:
    """Private memory of one worker, bytes: what it has beside what it shares with others.

    At the fork a worker shares everything; a page becomes its own when it writes to it. A worker
    that is spawned begins with all of its own modules.

    Args:
        at_start: none at the fork; of a spawned worker, what it has before its first batch.
        after_first: when its first batch has arrived (and it makes the next one).
        at_end: after the epoch.
        most: of the whole epoch, which it has while it makes a batch.
    """

    at_start: int
    after_first: int
    at_end: int
    most: int

    @property
    def growth(self) -> int:
        """From the worker's beginning to the end of the epoch."""
        return self.at_end - self.at_start

    @property
    def growth_after_first(self) -> int:
        """From the first batch to the most."""
        return self.most - self.after_first


def private_memory(pid: int) -> int:
    """Bytes that a process has written to and shares with no other.

    On Linux the dirty private pages of private mappings. Elsewhere psutil's USS, which also counts
    batches that lie in shared memory and that the main process has not taken yet.

    Args:
        pid: of the process.
    """
    mappings = Path(f"/proc/{pid}/smaps")
    if not mappings.is_file():
        return int(psutil.Process(pid).memory_full_info().uss)
    total, is_private = 0, False
    with mappings.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if (mapping := _MAPPING.match(line)) is not None:
                is_private = mapping[1].endswith("p")
            elif is_private and line.startswith("Private_Dirty:"):
                total += int(line.split()[1]) * 1024
    return total


class Starts:
    """Tells which workers have begun, and with how much; to be called in each worker.

    Args:
        workers: how many there will be.
        then: the function that prepares a worker.
        start_method: of the workers. Those that are forked have nothing of their own at first.
    """

    def __init__(self, workers: int, then: Callable[[int], None], start_method: str) -> None:
        self._then = then
        self._is_forked = start_method == "fork"
        self._array: Any = multiprocessing.get_context(start_method).Array("q", 2 * workers)

    def __call__(self, worker_id: int) -> None:
        """Prepare the worker and write down what it has."""
        pid = multiprocessing.current_process().pid
        assert pid is not None
        memory = 0 if self._is_forked else private_memory(pid)
        self._then(worker_id)
        self._array[2 * worker_id : 2 * worker_id + 2] = [pid, memory]

    def found(self) -> dict[int, int]:
        """Memory by process, of the workers that have begun, in their order."""
        values = list(self._array)
        return {pid: memory for pid, memory in zip(values[::2], values[1::2], strict=True) if pid}
