"""Private memory grows by what a process writes, not by what it maps or shares."""

import gc
import mmap
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from refseg.benchmarks.worker_memory import Starts, WorkerMemory, private_memory

MEGABYTES = 1_000_000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="smaps is Linux's")


def _grow(connection: Connection, shared: mmap.mmap, file: Path, inherited: np.ndarray) -> None:
    def tell() -> None:
        connection.send(private_memory(os.getpid()))

    gc.disable()  # a collection writes to every object of the tests that ran before
    private_memory(os.getpid())  # which takes a little itself, the first time
    tell()
    np.frombuffer(shared, np.uint8)[:] = 1
    tell()  # shared memory, as that of batches: no growth
    mapped = np.memmap(file, np.uint8, "r")
    assert mapped.sum() == 0
    tell()  # a file that is read: none
    assert inherited.sum() == 0
    tell()  # what the parent wrote: none
    inherited[:] = 1
    tell()  # a copy of it
    # Not by malloc, which may keep what is freed.
    own = mmap.mmap(-1, 30 * MEGABYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for _ in range(30):
        own.write(b"1" * MEGABYTES)
    tell()
    own.close()
    tell()


def test_counts_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(25 * MEGABYTES))
    shared = mmap.mmap(-1, 20 * MEGABYTES)
    inherited = np.zeros(40 * MEGABYTES, np.uint8)
    inherited[:] = 0  # written, or there would be no pages yet
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_grow, args=(theirs, shared, file, inherited))
    child.start()
    found = [ours.recv() for _ in range(7)]
    child.join()
    growth = np.diff(found) / MEGABYTES
    np.testing.assert_allclose(growth, [0, 0, 0, 40, 30, -30], atol=4)


def test_growth() -> None:
    worker = WorkerMemory(at_start=1, after_first=20, at_end=22, most=25)
    assert (worker.growth, worker.growth_after_first) == (21, 5)


def test_each_worker_tells_what_it_has_when_it_begins() -> None:
    called = []
    starts = Starts(2, called.append, "spawn")
    assert starts.found() == {}
    starts(1)
    assert called == [1]
    ((pid, memory),) = starts.found().items()
    assert pid == os.getpid()
    assert memory == pytest.approx(private_memory(pid), rel=0.2)
    forked = Starts(1, called.append, "fork")
    forked(0)
    assert forked.found() == {os.getpid(): 0}, "at the fork all is shared"
