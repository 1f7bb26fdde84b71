"""The masks that `predict` writes."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from refseg.files import replacing
from refseg.inference.crf_processes import RefinementQueue
from refseg.training import says_progress
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch
from refseg.visualization import write_mask


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
