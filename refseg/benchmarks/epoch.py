"""What an epoch costs: expressions per second, and the memory of each worker."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from refseg.benchmarks.full_size import DATASET, SPLIT_BY
from refseg.benchmarks.worker_memory import Starts, WorkerMemory, private_memory
from refseg.data import Augmentation, ReferringDataset, Transform, WordTokenizer, open_references
from refseg.data.loaders import share_with_workers, start_worker
from refseg.data.resuming import ResumableLoader, resumable_loader
from refseg.data.samplers import ShuffledOrder

SAMPLES = 50
"""How often in an epoch the memory is looked at, besides after the first batches."""

FIRST_BATCHES = 8
"""So many of each worker are followed by a look at its memory."""


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
    """Read all splits of the generated set once, shuffled and augmented, as a training does.

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
    transform = Transform(image_size, Augmentation(flip=0.5, brightness=0.1, shrink=0.9))
    share_with_workers(transform)
    dataset = ReferringDataset(references, transform)
    order = ShuffledOrder(len(dataset))
    loader = resumable_loader(dataset, [references], order, tokenizer, batch_size, workers)
    starts = Starts(workers, start_worker, start_method)
    loader.multiprocessing_context = start_method
    loader.worker_init_fn = starts
    return _read(loader, starts)


def _read(loader: ResumableLoader, starts: Starts) -> Epoch:
    every = max(len(loader) // SAMPLES, 1)
    first = FIRST_BATCHES * loader.num_workers
    looks: list[dict[int, int]] = []
    expressions = images = 0
    start = time.perf_counter()
    for number, batch in enumerate(loader):  # its workers outlive the epoch
        expressions += len(batch)
        images += len(batch.image_paths)
        if number < first or number % every == 0 or number == len(loader) - 1:
            seconds = time.perf_counter() - start
            looks.append({pid: private_memory(pid) for pid in starts.found()})
    return Epoch(expressions, images, seconds, _of_workers(looks, starts.found()))


def _of_workers(looks: list[dict[int, int]], at_start: dict[int, int]) -> list[WorkerMemory]:
    found = []
    for number, (pid, memory) in enumerate(at_start.items()):
        own = [look[pid] for look in looks if pid in look]
        after_first = looks[number].get(pid, own[0])  # batches come from the workers in turn
        found.append(WorkerMemory(memory, after_first, own[-1], max(own)))
    return found
