"""What training minimises, of splits that are not trained on."""

from collections.abc import Sequence

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from refseg.losses import Loss
from refseg.types import Batch, Output


class SplitLosses:
    """The mean loss of an expression of each split of an evaluation.

    It is the mean over what goes through the network together, weighted by the expressions in it:
    in an exact evaluation (`exact_evaluation`) each expression is alone, and the mean does not
    depend on the batch size. A loss that adds up over a batch is then smaller than `train/loss`.

    Args:
        splits: their names, in the order of the data loaders.
        loss: that training minimises.
    """

    def __init__(self, splits: Sequence[str], loss: Loss) -> None:
        self.splits, self.loss = list(splits), loss
        self._sums = [[0.0, 0.0] for _ in splits]  # the losses, and of how many expressions

    def add(self, split: int, batch: Batch, output: Output) -> None:
        """Add what went through the network together.

        Args:
            split: number of the data loader.
            batch: with masks.
            output: what the network answers to it.
        """
        self._sums[split][0] += float(self.loss(output, batch)) * len(batch)
        self._sums[split][1] += len(batch)

    def means(self, strategy: Strategy) -> dict[str, dict[str, float]]:
        """The mean of each split as a figure called `loss`, over all processes.

        What a distributed sampler repeats, to give each process as many, is in it twice.

        Args:
            strategy: of the trainer; with several processes all of them must call it.
        """
        sums = torch.tensor(self._sums, device=strategy.root_device)
        every = strategy.reduce(sums, reduce_op="sum")
        assert isinstance(every, Tensor)
        means = (every[:, 0] / every[:, 1].clamp(min=1)).tolist()
        return {name: {"loss": mean} for name, mean in zip(self.splits, means, strict=True)}
