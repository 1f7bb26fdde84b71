"""The order in which training visits images that lie in shards."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from torch.utils.data import DistributedSampler

WINDOW = 8
"""Shards that are read from at the same time."""


class Visit(NamedTuple):
    """An item in an epoch: what the random numbers of its augmentation follow from.

    Args:
        epoch: from 0.
        item: its number in the data set.
    """

    epoch: int
    item: int


class ShardOrder(DistributedSampler[Visit]):
    """Shuffles so that only a few shards are in use at any time, anew in each epoch.

    The shards are put in random order; each item then comes at a random time while its shard is one
    of the `window` newest. So shards are needed one after the other and not all at once, and
    neighbours in an epoch come from several shards. The order follows from seed and epoch alone.

    With several processes each takes a contiguous part, so that it reads shards which others do
    not; the first few items of the epoch are repeated until all have equally many.

    Args:
        shards: the shard of each item, by any name or number.
        seed: the same in all processes.
        processes: how many share the work.
        process: the number of this one, from 0.
        window: shards that are mixed.

    Example:
        >>> order = ShardOrder(["a", "a", "b", "b"], seed=0)
        >>> sorted(visit.item for visit in order)
        [0, 1, 2, 3]
    """

    # It extends Lightning's and torch's distributed sampler so that Lightning leaves it alone, and
    # tells it the epoch (`set_epoch`).
    def __init__(
        self,
        shards: Sequence[str],
        seed: int,
        processes: int = 1,
        process: int = 0,
        window: int = WINDOW,
    ) -> None:
        super().__init__(range(len(shards)), processes, process, seed=seed)  # type: ignore[arg-type]  # only its length is used
        _, codes = np.unique(np.asarray(shards, dtype=np.str_), return_inverse=True)
        self._shards: Int64[np.ndarray, " items"] = codes.astype(np.int64)
        self.window = window
        self.start = 0
        """Items of this process's part that are left out, at the beginning of the next pass."""

    def __iter__(self) -> Iterator[Visit]:
        """The visits of this process in the epoch that was set, from `start` on."""
        start, self.start = self.start, 0
        for item in self.items(self.epoch)[start:].tolist():
            yield Visit(self.epoch, item)

    def items(self, epoch: int) -> Int64[np.ndarray, " part"]:
        """The items of this process in an epoch."""
        generator = np.random.default_rng([self.seed, epoch])
        place = generator.permutation(self._shards.max(initial=-1) + 1)
        time = place[self._shards] + self.window * generator.random(len(self._shards))
        everything = np.resize(np.argsort(time, kind="stable"), self.total_size)
        part = everything[self.rank * self.num_samples : (self.rank + 1) * self.num_samples]
        return part.astype(np.int64)
