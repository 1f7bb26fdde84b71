"""What is freed between pieces that stay goes back, and nothing else does."""

import os
import platform

import numpy as np
import psutil
import pytest

from refseg.data.freed_memory import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are not asked")
def test_gives_back() -> None:
    process = psutil.Process(os.getpid())
    # Small enough for the heap; every other one stays, so that the heap cannot shrink by itself.
    pieces = [np.full(100_000, number % 256, np.uint8) for number in range(600)]
    kept = pieces[::2]
    del pieces
    before = process.memory_info().rss
    give_back()
    assert before - process.memory_info().rss > 10_000_000
    assert all((piece == 2 * number % 256).all() for number, piece in enumerate(kept))
