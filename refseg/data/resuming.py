"""A data loader that resumes exactly in the middle of an epoch."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from refseg.data.loaders import loader_options
from refseg.data.references import References
from refseg.data.samplers import Order, Visit
from refseg.data.tokenizers import Tokenizer
from refseg.errors import ConfigError
from refseg.types import Batch, Sample


class RepeatableDataset(Dataset[Sample]):
    """Items whose random numbers follow from seed, epoch and item alone.

    Not from the worker that happens to make them, nor from what it made before: so a batch is the
    same for any number of workers, and whether or not the epoch was begun by another process.

    Args:
        dataset: draws all of its random numbers from torch's generator.
        seed: of the run.
    """

    def __init__(self, dataset: Dataset[Sample], seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        """Number of items."""
        return len(self.dataset)  # type: ignore[arg-type]  # it has a length, or no order

    def __getitem__(self, visit: Visit | int) -> Sample:
        """The item of a visit, with its own random numbers; torch's generator is not changed.

        Args:
            visit: or an item alone, as in epoch 0 (what `overfit_batches` of Lightning asks for).
        """
        visit = visit if isinstance(visit, Visit) else Visit(0, visit)
        text = f"{self.seed}/{visit.epoch}/{visit.item}"
        digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(int.from_bytes(digest, "little"))
        try:
            return self.dataset[visit.item]
        finally:
            torch.set_rng_state(before)


class ResumableLoader(DataLoader[Batch]):
    """Remembers in a checkpoint how far the epoch is, and goes on from there.

    The data module stores its state and gives it back. Lightning (2.6) would, too, but not when the
    learning-rate schedule asks for the number of steps before the training begins, as ours does.
    Made by `resumable_loader`.
    """

    # Attributes with defaults instead of a constructor: Lightning makes copies of data loaders by
    # the arguments of theirs.
    batches_done: Callable[[], int] | None = None
    signature: Callable[[], Mapping[str, int | str]] = dict
    waited = 0.0
    """Seconds that whoever asks for batches has waited for them, in all epochs."""
    _first = 0
    _given = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch promises its own class
        """The batches of the epoch that was set, or what is left of it after `load_state_dict`."""
        first, self._first = self._first, 0
        if isinstance(self.sampler, Order):
            self.sampler.start = first * cast("int", self.batch_size)
        self._given = first
        batches, end = super().__iter__(), object()
        while True:
            asked = time.monotonic()
            batch = next(batches, end)
            self.waited += time.monotonic() - asked
            if batch is end:
                return
            self._given += 1
            yield cast("Batch", batch)

    def state_dict(self) -> dict[str, Any]:
        """The number of finished batches, and the options that their content depends on.

        A batch that was given but not trained on, as when the run was interrupted in it, is not
        done: hence the trainer's count, where there is one.
        """
        done = self._given if self.batches_done is None else self.batches_done()
        return {"batches": done, **self.signature()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Skip in the next epoch the batches that are done.

        Raises:
            ConfigError: the batches of the stopped run were others.
        """
        batches = int(state["batches"])
        if batches >= len(self):  # saved at the end of an epoch: the next one is a whole one
            return
        for name, ours in self.signature().items():
            if state.get(name) != ours:
                raise ConfigError(
                    f"The checkpoint was saved in the middle of an epoch, after {batches} of its "
                    f"batches, with {name} {state.get(name)!r}; now it is {ours!r}, and other "
                    "batches would follow. Go on with the same value, or from a checkpoint at the "
                    "end of an epoch."
                )
        self._first = batches


def resumable_loader(
    dataset: Dataset[Sample],
    tables: Sequence[References],
    order: Order,
    tokenizer: Tokenizer,
    batch_size: int,
    num_workers: int,
    trainer: Any = None,  # noqa: ANN401 - Lightning's, which is imported on higher floors only
) -> ResumableLoader:
    """A loader of training batches: shuffled, repeatable, and resumable exactly.

    Args:
        dataset: what the order visits.
        tables: its rows, by which a checkpoint knows whether it is the same data.
        order: of the visits.
        tokenizer: with its vocabulary.
        batch_size: items per batch.
        num_workers: processes that read items; 0 reads them in this one.
        trainer: knows how many batches are done.
    """
    loader = ResumableLoader(
        RepeatableDataset(dataset, order.seed),  # type: ignore[arg-type]  # collate makes batches of its samples
        sampler=order,
        **loader_options(tokenizer, batch_size, num_workers),
    )
    if trainer is not None:
        progress = trainer.fit_loop.epoch_loop.batch_progress
        loader.batches_done = lambda: progress.current.processed

    @cache  # nobody asks for it before the first checkpoint
    def signature() -> dict[str, int | str]:
        return {
            "seed": order.seed,
            "processes": order.num_replicas,
            "batch_size": batch_size,
            "order": order.title,
            "items": order.count,
            "data": ", ".join(table.fingerprint() for table in tables),
        }

    loader.signature = signature
    return loader
