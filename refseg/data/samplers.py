"""The order in which training visits images, and how often it visits each."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from torch.utils.data import DistributedSampler

from refseg.errors import ConfigError


class Visit(NamedTuple):
    """An item in an epoch: what the random numbers of its augmentation follow from.

    Args:
        epoch: from 0.
        item: its number in the data set.
    """

    epoch: int
    item: int


class Order(DistributedSampler[Visit]):
    """Visits of the items of an epoch, in an order that follows from seed and epoch alone.

    So all processes of a run agree on it, and a run that goes on from a checkpoint sees what it
    would have seen.

    With several processes each takes a contiguous part of the order; the first few items of the
    epoch are repeated until all have equally many.

    Args:
        count: visits in an epoch, of all processes together.
        seed: the same in all processes; 0 or more.
        processes: how many share the work.
        process: the number of this one, from 0.
    """

    # It extends torch's distributed sampler so that Lightning leaves it alone, and tells it the
    # epoch (`set_epoch`).
    def __init__(self, count: int, seed: int = 0, processes: int = 1, process: int = 0) -> None:
        super().__init__(range(count), processes, process, seed=seed)  # type: ignore[arg-type]  # only its length is used
        self.count = count
        self.start = 0
        """Visits of this process's part that are left out, at the beginning of the next pass."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What messages call the order: two orders with different rules have different titles."""

    @abstractmethod
    def everything(self, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
        """The items of an epoch, of all processes together.

        Args:
            generator: of the epoch; nothing else is drawn by chance.
        """

    def __iter__(self) -> Iterator[Visit]:
        """The visits of this process, from `start` on; the next pass is the next epoch."""
        start, self.start = self.start, 0
        epoch, self.epoch = self.epoch, self.epoch + 1
        for item in self.items(epoch)[start:].tolist():
            yield Visit(epoch, item)

    def items(self, epoch: int) -> Int64[np.ndarray, " part"]:
        """The items that this process visits in an epoch.

        Args:
            epoch: from 0.
        """
        # Not torch's generator: it looks at the lower half of a seed only.
        everything = self.everything(np.random.default_rng([self.seed, epoch]))
        first = self.rank * self.num_samples
        return np.resize(everything, self.total_size)[first : first + self.num_samples]


class ShuffledOrder(Order):
    """Every item once, in random order.

    Example:
        >>> sorted(visit.item for visit in ShuffledOrder(3))
        [0, 1, 2]
    """

    title = "shuffled"

    def everything(self, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
        """A permutation."""
        return generator.permutation(self.count)


class ProportionalOrder(Order):
    """Draws from several data sets, laid end to end, in given proportions.

    An epoch has as many items as the sets that have a share have together. A set gets its share of
    them: rounded up or down at random, such that the mean over the epochs is the share exactly.
    Within a set, no item is seen once more before all others have been seen: items are drawn
    without repetition, and a set that has fewer items than its share asks for is gone through
    several times.

    Args:
        sizes: number of items of each set.
        shares: of each set, in any unit; 0 leaves a set out.
        seed: as for `Order`, like the others.
        processes: how many share the work.
        process: the number of this one.

    Raises:
        ConfigError: a set with a share has no items.

    Example:
        >>> order = ProportionalOrder(sizes=[6, 2], shares=[1.0, 1.0])
        >>> sorted(visit.item for visit in order)[4:]  # half of the six, each of the two twice
        [6, 6, 7, 7]
    """

    def __init__(
        self,
        sizes: Sequence[int],
        shares: Sequence[float],
        seed: int = 0,
        processes: int = 1,
        process: int = 0,
    ) -> None:
        for size, share in zip(sizes, shares, strict=True):
            if share and not size:
                raise ConfigError("A data set has a share of the training, but no images.")
        self.sizes = list(sizes)
        self.shares = [share / sum(shares) for share in shares]
        count = sum(size for size, share in zip(sizes, shares, strict=True) if share)
        super().__init__(count, seed, processes, process)

    @property
    def title(self) -> str:
        """With the shares."""
        return f"in proportion {' : '.join(f'{share:.4g}' for share in self.shares)}"

    def everything(self, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
        """What is drawn of each set, in random order."""
        counts = self._counts(generator)
        starts = np.cumsum([0, *self.sizes[:-1]])
        drawn = np.concatenate(
            [
                start + _draw(count, size, generator)
                for start, count, size in zip(starts, counts, self.sizes, strict=True)
            ]
        )
        return generator.permutation(drawn)

    def _counts(self, generator: np.random.Generator) -> list[int]:
        """Items of each set in this epoch: the borders between sets, shifted by one random number.

        The floor of x + u, with u uniform in [0, 1), is x in the mean.
        """
        borders = np.floor(np.cumsum(self.shares) * self.count + generator.random()).astype(
            np.int64
        )
        last = max(number for number, share in enumerate(self.shares) if share)
        borders[last:] = self.count  # which rounding might miss by one
        return np.diff(borders, prepend=0).tolist()


def _draw(count: int, size: int, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
    """Draw `count` numbers below `size`, each equally often, up to one."""
    if not count:
        return np.empty(0, np.int64)
    rounds = [generator.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(rounds)[:count]
