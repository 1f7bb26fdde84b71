"""In which order, and how often, the images of a mixture are seen."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64
from torch.utils.data import Sampler

from refseg.errors import ConfigError


class ProportionalSampler(Sampler[int]):
    """Draws from several data sets, laid end to end, in given proportions.

    An epoch has as many items as the sets that have a share have together. A set gets its share of
    them: rounded up or down at random, such that the mean over the epochs is the share exactly.
    Within a set, no item is seen once more before all others have been seen: items are drawn
    without repetition, and a set that has fewer items than its share asks for is gone through
    several times.

    The order follows from seed and epoch alone. All processes of a distributed run therefore see
    the same order, and Lightning's wrapper deals it out to them; a run that goes on from a
    checkpoint sees what it would have seen.

    Args:
        sizes: number of items of each set.
        shares: of each set, in any unit; 0 leaves a set out.
        seed: the same on all processes; 0 or more.
        epoch: the first one; `set_epoch` (called by Lightning) sets it, and every pass adds one.

    Raises:
        ConfigError: a set with a share has no items.

    Example:
        >>> sampler = ProportionalSampler(sizes=[6, 2], shares=[1.0, 1.0])
        >>> sorted(sampler)[4:]  # half of the six, and each of the two twice
        [6, 6, 7, 7]
    """

    def __init__(
        self, sizes: Sequence[int], shares: Sequence[float], seed: int = 0, epoch: int = 0
    ) -> None:
        for size, share in zip(sizes, shares, strict=True):
            if share and not size:
                raise ConfigError("A data set has a share of the training, but no images.")
        self.sizes = list(sizes)
        self.shares = [share / sum(shares) for share in shares]
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of items of an epoch."""
        return sum(size for size, share in zip(self.sizes, self.shares, strict=True) if share)

    def __iter__(self) -> Iterator[int]:
        """The items of the epoch; the next pass is the next epoch."""
        # Not torch's generator: it looks at the lower half of a seed only.
        generator = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        counts = self._counts(generator)
        starts = np.cumsum([0, *self.sizes[:-1]])
        drawn = np.concatenate(
            [
                start + _draw(count, size, generator)
                for start, count, size in zip(starts, counts, self.sizes, strict=True)
            ]
        )
        return iter(generator.permutation(drawn).tolist())

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass.

        Args:
            epoch: counted from 0.
        """
        self.epoch = epoch

    def _counts(self, generator: np.random.Generator) -> list[int]:
        """Items of each set in this epoch: the borders between sets, shifted by one random number.

        The floor of x + u, with u uniform in [0, 1), is x in the mean.
        """
        borders = np.floor(np.cumsum(self.shares) * len(self) + generator.random()).astype(np.int64)
        last = max(number for number, share in enumerate(self.shares) if share)
        borders[last:] = len(self)  # which rounding might miss by one
        return np.diff(borders, prepend=0).tolist()


def _draw(count: int, size: int, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
    """That many of the numbers below `size`, each as often as the others or once more."""
    if not count:
        return np.empty(0, np.int64)
    rounds = [generator.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(rounds)[:count]
