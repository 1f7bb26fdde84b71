"""How long it takes to open a data set: cold, warm, and by many processes at once."""

import logging
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import ParamSpec, TypeVar

from refseg.benchmarks.full_size import DATASET, SPLIT_BY
from refseg.data import open_references

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Opening:
    """What one process saw.

    Args:
        seconds: from the call to the table.
        cpu_seconds: of computing in that time.
        builds: how often it read the annotations: 1, or 0 where the table was there.
        peak_bytes: the most memory that the process ever held.
        expressions: rows of the table.
        fingerprint: of the table's content.
    """

    seconds: float
    cpu_seconds: float
    builds: int
    peak_bytes: int
    expressions: int
    fingerprint: str


def open_at_once(root: Path, processes: int = 1) -> list[Opening]:
    """Open the generated set in fresh processes that start together.

    Args:
        root: of `write_refer_set`.
        processes: how many.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, context) as pool:
        barrier = manager.Barrier(processes)
        tasks = [pool.submit(_open, root, barrier) for _ in range(processes)]
        return [task.result() for task in tasks]


def in_own_process(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a function in a fresh process, so that the memory it takes is gone afterwards."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _open(root: Path, barrier: Barrier) -> Opening:
    builds = _Counter(logging.INFO)
    logger = logging.getLogger("refseg.data.cache")
    logger.setLevel(logging.INFO)
    logger.addHandler(builds)
    barrier.wait()
    start, cpu_start = time.perf_counter(), time.process_time()
    references = open_references(root, DATASET, SPLIT_BY)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return Opening(
        seconds,
        cpu_seconds,
        builds.count,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        len(references),
        references.fingerprint(),
    )


class _Counter(logging.Handler):
    """The cache logs each reading of annotations."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
