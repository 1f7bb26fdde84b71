"""Data loaders whose workers read images."""

import gc
import importlib
import os
import signal
from collections.abc import Sequence
from typing import Any

import cv2
import torch
from lightning.fabric.utilities.seed import pl_worker_init_function
from PIL import Image
from torch.utils.data import DataLoader, Dataset, get_worker_info

from refseg.data.collation import collate
from refseg.data.freed_memory import give_back
from refseg.data.tokenizers import Tokenizer
from refseg.data.transforms import Transform
from refseg.types import Batch, Sample


def make_loader(
    dataset: Dataset[Sample], tokenizer: Tokenizer, batch_size: int, num_workers: int
) -> DataLoader[Batch]:
    """A loader of batches, in the order of the data set.

    Args:
        dataset: an image with its expressions per item.
        tokenizer: with its vocabulary.
        batch_size: items per batch.
        num_workers: processes that read items; 0 reads them in this one.
    """
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # collate makes batches of its samples
        **loader_options(tokenizer, batch_size, num_workers),
    )


def loader_options(tokenizer: Tokenizer, batch_size: int, num_workers: int) -> dict[str, Any]:
    """The arguments of `DataLoader` that all loaders share.

    Args:
        tokenizer: as for `make_loader`, like the others.
        batch_size: items per batch.
        num_workers: processes that read items.
    """
    return {
        "batch_size": batch_size,
        "num_workers": num_workers,
        "collate_fn": Collate(tokenizer),
        "pin_memory": torch.cuda.is_available(),
        "persistent_workers": num_workers > 0,
        "worker_init_fn": start_worker,
        # Its own, or each new pass over the data would take from the random numbers of training.
        "generator": torch.Generator(),
    }


class Collate:
    """`collate` with its tokenizer, in a form that worker processes can be given.

    Args:
        tokenizer: with its vocabulary.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Put samples together; a worker process then returns its freed memory."""
        batch = collate(samples, self.tokenizer)
        if get_worker_info() is not None:
            give_back()
        return batch


def share_with_workers(transform: Transform) -> None:
    """Import and prepare before workers are forked what each of them would need.

    What is imported after the fork is each worker's own: seconds and tens of megabytes.

    Args:
        transform: of the workers' samples.
    """
    Image.preinit()  # Pillow's usual formats
    importlib.import_module("numpy.ma")  # which numpy imports when pyarrow takes rows by its arrays
    transform.prepare()
    gc.collect()  # what is garbage now would be copied, not freed


def start_worker(worker_id: int) -> None:
    """Keep OpenCV to one thread per worker, and seed as Lightning would have done.

    A search for garbage writes to every object, and so would copy what the worker shares with the
    main process: what there is at the start is exempt from it.
    """
    _leave_signals_to_the_main_process()
    gc.freeze()
    cv2.setNumThreads(0)
    if int(os.environ.get("PL_SEED_WORKERS", "0")):
        pl_worker_init_function(worker_id)


def _leave_signals_to_the_main_process() -> None:
    """Ignore signals that a terminal or a cluster sends to all processes at once.

    The main process ends its workers when it has done with them; without them it could not end the
    step that it is in. If it has died, they end by themselves.
    """
    for name in ("SIGINT", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # The main process itself uses this one, for a worker that hangs.
    signal.signal(signal.SIGTERM, lambda number, _: signal.signal(number, signal.SIG_DFL))
