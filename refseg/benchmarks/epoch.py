"""What an epoch costs: expressions per second, and the memory of each worker."""

import multiprocessing
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from torch.utils.data import DataLoader

from refseg.benchmarks.full_size import DATASET, SPLIT_BY
from refseg.data import Collate, ReferringDataset, Transform, WordTokenizer, open_references
from refseg.data.loaders import start_worker
from refseg.types import Batch

SAMPLES = 50
"""How often in an epoch the memory is looked at, after the first batches."""

FIRST_BATCHES = 8
"""So many of each worker show what it takes to read batches at all; it is looked at after each."""


@dataclass(frozen=True)
class WorkerMemory:
    """Memory of one worker, bytes.

    Own memory is what no other process shares (USS): it would be free again if the worker ended.
    The share (PSS) also counts what is shared, divided by those who share it. Both swing by the
    size of a batch, as the allocator takes memory and gives it back.

    Args:
        own_at_start: the most during the worker's first batches.
        own_at_end: after its last.
        own_most: the most of the whole epoch.
        share_at_start: as above.
        share_at_end: as above.
    """

    own_at_start: int
    own_at_end: int
    own_most: int
    share_at_start: int
    share_at_end: int

    @property
    def growth(self) -> int:
        """How much the most of the epoch is above the most of the first batches."""
        return self.own_most - self.own_at_start


@dataclass(frozen=True)
class Epoch:
    """Once through all expressions.

    Args:
        expressions: that came out of the loader.
        images: items that came out of it.
        seconds: from the first batch to the last.
        workers: their memory.
    """

    expressions: int
    images: int
    seconds: float
    workers: list[WorkerMemory]


def read_epoch(
    root: Path,
    workers: int,
    start_method: str = "fork",
    image_size: int = 320,
    batch_size: int = 8,
) -> Epoch:
    """Read all splits of the generated set once, shuffled, as a training would.

    Args:
        root: of `write_refer_set`.
        workers: processes of the data loader, at least one.
        start_method: of the workers. `fork` shares what the main process holds, `spawn` and
            `forkserver` are sent the data set.
        image_size: side of the square that a network would see, pixels.
        batch_size: images per batch.
    """
    # More workers than processors are what is asked for here.
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
    references = open_references(root, DATASET, SPLIT_BY)
    tokenizer = WordTokenizer()
    tokenizer.build(references.expressions.to_pylist())
    loader: DataLoader[Batch] = DataLoader(
        ReferringDataset(references, Transform(image_size)),  # type: ignore[arg-type]  # collated
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context=start_method,
        collate_fn=Collate(tokenizer),
        worker_init_fn=start_worker,
    )
    return _read(loader, workers)


def _read(loader: DataLoader[Batch], workers: int) -> Epoch:
    every = max(len(loader) // SAMPLES, 1)
    warm_up = FIRST_BATCHES * workers
    samples: list[dict[int, tuple[int, int]]] = []
    expressions = images = 0
    start = time.perf_counter()
    for number, batch in enumerate(_until_the_workers_end(loader)):
        expressions += len(batch)
        images += len(batch.image_paths)
        if number < warm_up or number % every == 0 or number == len(loader) - 1:
            samples.append(_memory())
    seconds = time.perf_counter() - start
    return Epoch(
        expressions, images, seconds, [_of_worker(pid, samples, warm_up) for pid in samples[0]]
    )


def _until_the_workers_end(loader: DataLoader[Batch]) -> Iterator[Batch]:
    """The batches. The loader ends its workers with the last one, so it is held back until then."""
    batches = iter(loader)
    for _ in range(len(loader)):
        yield next(batches)


def _memory() -> dict[int, tuple[int, int]]:
    """Own memory and share of each living worker."""
    found = {}
    for process in multiprocessing.active_children():
        if process.pid is not None:
            memory = psutil.Process(process.pid).memory_full_info()
            found[process.pid] = (memory.uss, memory.pss)
    return found


def _of_worker(pid: int, samples: list[dict[int, tuple[int, int]]], warm_up: int) -> WorkerMemory:
    seen = [sample[pid] for sample in samples if pid in sample]
    own = [uss for uss, _ in seen]
    shares = [pss for _, pss in seen]
    return WorkerMemory(max(own[:warm_up]), own[-1], max(own), max(shares[:warm_up]), shares[-1])
