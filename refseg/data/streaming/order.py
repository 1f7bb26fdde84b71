"""The order in which training visits images that lie in shards."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from refseg.data.samplers import Order

WINDOW = 8
"""Shards that are read from at the same time."""


class ShardOrder(Order):
    """Shuffles so that only a few shards are in use at any time, anew in each epoch.

    The shards are put in random order; each item then comes at a random time while its shard is one
    of the `window` newest. So shards are needed one after the other and not all at once, and
    neighbours in an epoch come from several shards. With several processes, each reads shards
    which most others do not.

    Args:
        shards: the shard of each item, by any name or number.
        seed: as for `Order`, like the next two.
        processes: how many share the work.
        process: the number of this one.
        window: shards that are mixed.

    Example:
        >>> order = ShardOrder(["a", "a", "b", "b"])
        >>> sorted(visit.item for visit in order)
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        shards: Sequence[str],
        seed: int = 0,
        processes: int = 1,
        process: int = 0,
        window: int = WINDOW,
    ) -> None:
        super().__init__(len(shards), seed, processes, process)
        _, codes = np.unique(np.asarray(shards, dtype=np.str_), return_inverse=True)
        self._shards: Int64[np.ndarray, " items"] = codes.astype(np.int64)
        self.window = window

    @property
    def title(self) -> str:
        """The title, with the number of shards that are mixed."""
        return f"shuffled, {self.window} shards at a time"

    def everything(self, generator: np.random.Generator) -> Int64[np.ndarray, " count"]:
        """Every item once."""
        place = generator.permutation(self._shards.max(initial=-1) + 1)
        time = place[self._shards] + self.window * generator.random(self.count)
        return np.argsort(time, kind="stable")
