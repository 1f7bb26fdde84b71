"""Counting further predictions of an evaluation as the module counts its own."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64

from refseg.evaluation import ReferringMetrics
from refseg.evaluation.counting import PixelCounts
from refseg.types import Batch


class SplitScores:
    """The figures of each split of an evaluation, over all batches and processes.

    Args:
        splits: name -> ids of its expressions, or None where only a part is evaluated; in the order
            of the data loaders.
        device: of the module: where processes exchange their counts.
    """

    def __init__(
        self, splits: Mapping[str, Int64[np.ndarray, " _"] | None], device: torch.device
    ) -> None:
        self.splits = splits
        self._metrics = [ReferringMetrics().to(device) for _ in splits]

    def add(self, split: int, batch: Batch, counts: PixelCounts) -> None:
        """Add the counts of a batch.

        Args:
            split: number of the data loader.
            batch: with the ids of its expressions.
            counts: by the standard protocol.
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
