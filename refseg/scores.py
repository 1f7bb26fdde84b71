"""Counting further predictions of an evaluation as the module counts its own."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from refseg.data import decode
from refseg.evaluation import ReferringMetrics, intersection_and_union
from refseg.types import Batch


def count_pixels(
    batch: Batch, predictions: Sequence[Bool[Tensor, " _ _"]]
) -> tuple[Int64[Tensor, " expressions"], Int64[Tensor, " expressions"]]:
    """Intersection and union of each expression in its image's own size.

    Args:
        batch: with the truths.
        predictions: one per expression, in the image's own size, on the CPU.
    """
    truths = {truth: torch.from_numpy(decode(truth)) for truth in set(batch.truths)}
    counts = [
        intersection_and_union(prediction[None], truths[truth][None])
        for prediction, truth in zip(predictions, batch.truths, strict=True)
    ]
    return torch.cat([both for both, _ in counts]), torch.cat([either for _, either in counts])


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

    def add(self, split: int, batch: Batch, predictions: Sequence[Bool[Tensor, " _ _"]]) -> None:
        """Count the predictions of a batch.

        Args:
            split: number of the data loader.
            batch: with the truths.
            predictions: as in `count_pixels`.
        """
        self._metrics[split].update(*count_pixels(batch, predictions), batch.expression_ids)

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
