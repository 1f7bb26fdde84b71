"""Pictures of what is predicted for examples of the validation split."""

from typing import Any

from jaxtyping import UInt8
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from numpy import ndarray
from torch import Tensor

from refseg.data import read_image
from refseg.inference.word_by_word import read
from refseg.masks import decode
from refseg.training.callbacks.layers import layered, of_one_size
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch
from refseg.visualization import Example, example_sheet, word_strip


class ExamplePictures(Callback):
    """Draws validation examples: image, truth, prediction and sentence; and how the words are read.

    The same expressions every time, so that one sees them improve. They go to TensorBoard as a
    sheet, and to W&B as images with the masks as layers, which are switched on and off there; the
    last sheet becomes `examples.png` of the run.

    Args:
        count: number of examples, each of another image where there are enough.
        strips: number of word-by-word strips, for a fusion that reads word by word.
    """

    def __init__(self, count: int = 8, strips: int = 2) -> None:
        self.count, self.strips = count, strips
        self.sheet: UInt8[ndarray, " height width 3"] | None = None
        self._examples: list[Example] = []
        self._strips: list[UInt8[ndarray, " height width 3"]] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the examples of the last time."""
        self._examples, self._strips = [], []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning; what `validation_step` returns
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep one expression of each image, until there are enough."""
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, ReferringSegmentation)
        # Each loader fills its part: a mixture has one for each split.
        count = self.count * (dataloader_idx + 1) // len(pl_module.data.val_groups)
        for image in range(len(batch.image_paths)):
            if len(self._examples) >= count:
                return
            asked = (batch.image_index == image).nonzero()[:, 0].tolist()
            expression = asked[len(self._examples) % len(asked)]
            self._examples.append(
                self._example(batch, expression, outputs["predictions"][expression])
            )
            if len(self._strips) < self.strips and pl_module.segmenter.reads_word_by_word:
                with trainer.precision_plugin.forward_context():  # as the prediction was computed
                    strip = self._strip(pl_module, batch, expression)
                self._strips.append(strip)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the sheet and hand the pictures to the loggers."""
        if not self._examples:
            return
        self.sheet = example_sheet(self._examples)
        if trainer.sanity_checking:
            return
        pictures = {"val/examples": [self.sheet], "val/words": self._strips}
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                step = trainer.global_step
                logger.log_image("val/examples", step=step, **layered(self._examples))
                if self._strips:
                    strips = of_one_size(self._strips)
                    logger.log_image("val/words", strips, step, file_type=["jpg"] * len(strips))
            for name, images in pictures.items():
                if isinstance(logger, TensorBoardLogger):
                    for number, image in enumerate(images):
                        logger.experiment.add_image(
                            f"{name}/{number}", image, trainer.global_step, dataformats="HWC"
                        )

    @staticmethod
    def _example(batch: Batch, expression: int, prediction: Tensor) -> Example:
        truth = decode(batch.truths[expression])
        predicted = prediction.numpy()
        union = (predicted | truth).sum()
        return Example(
            image=read_image(batch.image_paths[int(batch.image_index[expression])], truth.shape),
            expression=batch.expressions[expression],
            prediction=predicted,
            truth=truth,
            iou=float((predicted & truth).sum() / union) if union else 1.0,
        )

    @staticmethod
    def _strip(module: ReferringSegmentation, batch: Batch, expression: int) -> ndarray:
        alone = batch.select([expression])
        reading = read(module.segmenter, alone, module.data.tokenizer)
        truth = decode(alone.truths[0])
        return word_strip(
            image=read_image(alone.image_paths[0], truth.shape),
            words=reading.words,
            probabilities=reading.probabilities,
            activations=reading.activations,
            truth=truth,
        )
