"""Side effects of training and evaluation: complete checkpoints, pictures, predicted masks."""

import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jaxtyping import UInt8
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from numpy import ndarray
from torch import Tensor

from refseg import __version__
from refseg.data import decode, read_image
from refseg.files import replacing, write_text
from refseg.inference.refinement import RefinementQueue
from refseg.inference.word_by_word import read
from refseg.training import says_progress
from refseg.training.module import ReferringSegmentation
from refseg.training.run_lock import remove
from refseg.types import Batch
from refseg.visualization import Example, example_sheet, word_strip, write_mask


class CompleteCheckpoint(Callback):
    """Puts the configuration of the run into every checkpoint.

    Args:
        config: of the run, plain values.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = yaml.safe_dump(config, sort_keys=False)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add version, config as YAML, whether the training was fair, and what it started from."""
        assert isinstance(pl_module, ReferringSegmentation)
        checkpoint["refseg"] = {
            "version": __version__,
            "config": self.config,
            "trained_on_evaluation_images": pl_module.data.trained_on_evaluation_images,
            "backbone_weights": pl_module.backbone_weights,
        }

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Forget which checkpoints were best, unless they lie beside this one or in the run.

        Lightning would read those files, and remove them once there are better ones.
        """
        folders = {Path(str(trainer.ckpt_path)).absolute().parent}
        folders |= {
            Path(callback.dirpath).absolute()
            for callback in trainer.checkpoint_callbacks
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is not None
        }
        states = checkpoint["callbacks"]
        for key in [key for key, state in states.items() if not _stays_inside(state, folders)]:
            del states[key]


def _stays_inside(state: object, folders: Collection[Path]) -> bool:
    """Whether the files that the state of a callback names lie in some folders."""
    if not isinstance(state, dict):
        return False
    names = [value for name, value in state.items() if str(name).endswith("_path") and value]
    best = state.get("best_k_models", {})
    names += best if isinstance(best, dict) else [best]
    return all(isinstance(n, str) and Path(n).absolute().parent in folders for n in names)


class FolderTaken(Callback):
    """Takes possession of the folder of a training when nothing is refused any more.

    What an earlier training left, and is to go, goes now; `config.yaml`, with which the run can be
    made again, appears before the first step.

    Args:
        folder: of the run.
        config: of the run, plain values.
        leftovers: files of an earlier training.
    """

    def __init__(self, folder: Path, config: dict[str, Any], leftovers: Sequence[Path]) -> None:
        self.folder, self.config, self.leftovers = folder, config, leftovers
        self.taken = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove and write, right before the first step."""
        self._take(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same for a run that had no step left to take."""
        if not self.taken:
            self._take(trainer)

    def _take(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            remove(self.leftovers, self.folder)
            config = yaml.safe_dump(self.config, sort_keys=False)
            write_text(self.folder / "config.yaml", config)
        self.taken = True


class ExamplePictures(Callback):
    """Draws validation examples: image, truth, prediction and sentence; and how the words are read.

    The same expressions every time, so that one sees them improve. They go to TensorBoard and W&B
    where these log, and the last sheet becomes `examples.png` of the run.

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
            for name, images in pictures.items():
                if isinstance(logger, WandbLogger) and images:
                    logger.log_image(name, images, step=trainer.global_step)
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


class PredictionWriter(Callback):
    """Writes what `predict` predicts: a mask per expression, and a list of them.

    Args:
        folder: where `masks/SPLIT/ID.png` (0 and 255, in the image's own size) and
            `predictions.jsonl` are written.
        queue: refines the predictions by DenseCRF; None: they are written as they are.
    """

    def __init__(self, folder: Path, queue: RefinementQueue | None = None) -> None:
        self.folder, self.queue = folder, queue
        self._records: list[dict[str, Any]] = []

    @property
    def areas(self) -> list[int]:
        """Pixels of each mask that this process has written."""
        return [record["area"] for record in self._records]

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the queue how images are fitted; take away the list of earlier masks.

        The list comes last: who finds it finds all its masks.
        """
        assert isinstance(pl_module, ReferringSegmentation)
        if trainer.is_global_zero:
            for path in self.folder.glob("predictions*.jsonl"):
                path.unlink(missing_ok=True)
        trainer.strategy.barrier("no list of earlier masks is left")
        if self.queue is not None:
            self.queue.fill = pl_module.data.transform.fill

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning; what `predict_step` returns
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the masks of one batch, or have them refined and written."""
        assert isinstance(pl_module, ReferringSegmentation)
        write = partial(self._write, batch, pl_module.data.split_names[dataloader_idx])
        if self.queue is None:
            write(outputs)
        else:
            assert pl_module.logits is not None
            self.queue.add(batch, pl_module.logits, lambda found: write(found.masks))

    def _write(self, batch: Batch, split: str, predictions: list[Tensor]) -> None:
        for index, prediction in enumerate(predictions):
            mask = Path("masks", split, f"{batch.expression_ids[index]}.png")
            write_mask(self.folder / mask, prediction.numpy())
            self._records.append(
                {
                    "expression_id": batch.expression_ids[index],
                    "split": split,
                    "image": batch.image_paths[int(batch.image_index[index])],
                    "expression": batch.expressions[index],
                    "mask": str(mask),
                    "area": int(prediction.sum()),
                }
            )

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the list of all masks, by this process."""
        if self.queue is not None:
            self.queue.drain(progress=says_progress(trainer))
        rank = f"-{trainer.global_rank}" if trainer.world_size > 1 else ""
        with replacing(self.folder / f"predictions{rank}.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(r) + "\n" for r in self._records))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the processes that refine."""
        if self.queue is not None:
            self.queue.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the processes that refine."""
        if self.queue is not None:
            self.queue.close()
