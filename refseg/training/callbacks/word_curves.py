"""Overall IoU after each share of the words of the sentences, while a model reads them."""

import itertools
from collections.abc import Sequence

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from refseg.errors import ConfigError
from refseg.evaluation import STANDARD, SplitMetrics
from refseg.evaluation.counting import count_pixels, decoded_truths
from refseg.evaluation.predictions import predict_masks
from refseg.evaluation.word_curves import Curves
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch

PERCENTAGES = (20, 40, 60, 80, 100)


def words_read(length: int, percentage: int) -> int:
    """How many of a sentence's words are read: the share, rounded up.

    Args:
        length: of the sentence, words.
        percentage: of the words, 1–100.

    Example:
        >>> [words_read(length=7, percentage=share) for share in (20, 40, 60, 80, 100)]
        [2, 3, 5, 6, 7]
    """
    return -(-length * percentage // 100)


class WordCurve(Callback):
    """Evaluates, beside the whole sentences, what a model predicts in the middle of them.

    After ceil(share · length) words the prediction is counted like any other. The last point of a
    curve is the ordinary figure, bit for bit. With a text encoder that reads the whole sentence at
    once (a transformer), the features of a word already depend on the words after it.

    Args:
        percentages: shares of the words that are read.
    """

    def __init__(self, percentages: Sequence[int] = PERCENTAGES) -> None:
        self.percentages = tuple(percentages)
        self.curves: Curves = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make sure that the model reads word by word.

        Raises:
            ConfigError: it does not.
        """
        assert isinstance(pl_module, ReferringSegmentation)
        if not pl_module.segmenter.reads_word_by_word:
            raise ConfigError(
                "--words needs a model that reads word by word, but this one has a "
                f"{type(pl_module.segmenter.fusion).__name__}; leave --words out."
            )

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count."""
        assert isinstance(pl_module, ReferringSegmentation)
        splits = pl_module.evaluated_splits()
        self._metrics = {
            percentage: SplitMetrics(splits, pl_module.device) for percentage in self.percentages
        }

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: dict[str, list[Tensor]],  # type: ignore[override]  # what `test_step` returns
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Read the sentences of the batch again, word by word."""
        assert isinstance(pl_module, ReferringSegmentation)
        with trainer.precision_plugin.forward_context():  # as the predictions were computed
            partly = self.read_partly(pl_module, batch, outputs["predictions"])
        truths = decoded_truths(batch)
        for percentage, predictions in partly.items():
            counts = count_pixels(batch, predictions, STANDARD, truths)
            self._metrics[percentage].add(dataloader_idx, batch, counts)

    def read_partly(
        self, module: ReferringSegmentation, batch: Batch, whole: list[Tensor]
    ) -> dict[int, list[Tensor]]:
        """The predictions of a batch after each share of the words, in own size.

        Args:
            module: with the network.
            batch: whose expressions are read.
            whole: the ordinary predictions, which stand for every sentence that is read to its end.
        """
        lengths = batch.token_mask.sum(1).tolist()
        predictions = {percentage: list(whole) for percentage in self.percentages}
        wanted = {
            percentage: [words_read(length, percentage) for length in lengths]
            for percentage in self.percentages
        }
        steps = enumerate(module.segmenter.read(batch), start=1)
        for step, read in itertools.islice(steps, max(lengths) - 1):
            own = predict_masks(batch, read.logits.float(), STANDARD.rule)
            for percentage, counts in wanted.items():
                for expression, count in enumerate(counts):
                    if count == step < lengths[expression]:
                        predictions[percentage][expression] = own[expression]
        return predictions

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Work out the curves."""
        points = {percentage: metrics.figures() for percentage, metrics in self._metrics.items()}
        splits = next(iter(points.values()))
        self.curves = {
            split: {percentage: points[percentage][split] for percentage in self.percentages}
            for split in splits
        }
