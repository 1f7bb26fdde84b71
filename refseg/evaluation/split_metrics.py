"""The figures of every split of an evaluation, by one protocol."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int64

from refseg.evaluation.counting import PixelCounts
from refseg.evaluation.metrics import Counts, ReferringMetrics
from refseg.evaluation.protocols import STANDARD, Protocol
from refseg.types import Batch


class SplitMetrics:
    """The figures of each split of an evaluation, over all batches and processes.

    Args:
        splits: name -> ids of its expressions, or None where only a part is evaluated; in the order
            of the data loaders.
        device: of the module: where processes exchange their counts.
        protocol: by which pixels are counted.
        first_ids: ids of the first expression of each object, for each split: those that count by a
            protocol that takes one sentence per object. None: the protocol takes all.
    """

    def __init__(
        self,
        splits: Mapping[str, Int64[np.ndarray, " _"] | None],
        device: torch.device | str,
        protocol: Protocol = STANDARD,
        first_ids: Sequence[Int64[np.ndarray, " _"]] | None = None,
    ) -> None:
        self.splits = splits
        chosen = [None] * len(splits) if first_ids is None else map(torch.from_numpy, first_ids)
        self._metrics = [
            ReferringMetrics(protocol=protocol, chosen_ids=ids).to(device) for ids in chosen
        ]

    def add(self, split: int, batch: Batch, counts: PixelCounts) -> None:
        """Add the counts of a batch.

        Args:
            split: number of the data loader.
            batch: with the ids of its expressions.
            counts: by the protocol.
        """
        self._metrics[split].update(
            counts.intersections, counts.unions, batch.expression_ids, counts.areas
        )

    def figures(self) -> dict[str, dict[str, float]]:
        """The figures of each split; with several processes all of them must call it.

        Raises:
            DataError: an expression was not counted, or one that the split does not have.
        """
        rows = {}
        for (name, ids), metrics in zip(self.splits.items(), self._metrics, strict=True):
            if ids is not None:
                metrics.check_ids(torch.tensor(ids))
            rows[name] = {key: value.item() for key, value in metrics.compute().items()}
        return rows

    def counts(self) -> dict[str, Counts]:
        """The pixel counts of each split; with several processes all of them must call it."""
        pairs = zip(self.splits, self._metrics, strict=True)
        return {name: metrics.rows() for name, metrics in pairs}

    def empty_splits(self) -> dict[str, int]:
        """The splits in which every prediction is empty, with the number of their expressions.

        With several processes all of them must call it.
        """
        return {
            name: len(counts.expression_ids)
            for name, counts in self.counts().items()
            if counts.nothing_predicted
        }
