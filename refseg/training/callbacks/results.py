"""Results as data: `results.parquet` and `summary.json` in the folder of an evaluation."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from lightning.pytorch import Callback, LightningModule, Trainer

from refseg.data.described import Descriptions
from refseg.evaluation.counting import PixelCounts
from refseg.evaluation.measures import MeasureFile, merged
from refseg.evaluation.predictions import Predictions
from refseg.evaluation.results import (
    CRF_RESULTS_FILE,
    RESULTS_FILE,
    RLE,
    writing_results,
)
from refseg.masks import encode
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch


class RowWriter:
    """Writes a row for each expression of an evaluation into a table of results.

    Each process keeps its rows in a file in `folder`, which all processes have to see. When all are
    done, the first one puts them together with what is known of the expressions.

    Args:
        folder: of the run.
        name: of the table's file.
        save_masks: write each prediction too, in run lengths.
    """

    def __init__(self, folder: Path, name: str = RESULTS_FILE, save_masks: bool = False) -> None:
        self.path, self.save_masks = folder / name, save_masks
        self._measures: MeasureFile | None = None

    def begin(self, trainer: Trainer) -> None:
        """Begin a file for this process."""
        self._measures = MeasureFile(self._part(trainer.global_rank))

    def add(self, loader: int, batch: Batch, counts: PixelCounts, found: Predictions) -> None:
        """Write the rows of a batch.

        Args:
            loader: number of the data loader.
            batch: with its expressions.
            counts: by the standard protocol.
            found: what was predicted.
        """
        if self._measures is None:
            return
        rle = [encode(m.numpy()).counts for m in found.masks] if self.save_masks else None
        self._measures.add(
            loader,
            rle=rle,
            expression_id=batch.expression_ids,
            intersection=counts.intersections.numpy(),
            union=counts.unions.numpy(),
            area=counts.areas.numpy(),
            score=found.scores.numpy(),
        )

    def finish(self, trainer: Trainer, module: ReferringSegmentation) -> None:
        """Write the table; with several processes all of them must call it."""
        if self._measures is None:
            return
        self._measures.close()
        trainer.strategy.barrier("the rows of all processes are written")
        if trainer.is_global_zero:
            parts = [self._part(rank) for rank in range(trainer.world_size)]
            with writing_results(self.path, self.save_masks) as write:
                for number, splits in enumerate(module.evaluated_groups()):
                    descriptions = module.data.splits.descriptions(splits)
                    for rows in result_rows(parts, number, descriptions, "+".join(splits)):
                        write(rows if self.save_masks else rows.drop([RLE.name]))
        trainer.strategy.barrier("the rows of all processes are merged")
        self.clear(trainer)

    def clear(self, trainer: Trainer) -> None:
        """Remove the rows of this process; they are merged, or the evaluation has failed."""
        if self._measures is not None:
            self._measures = None
            self._part(trainer.global_rank).unlink(missing_ok=True)

    def _part(self, rank: int) -> Path:
        return self.path.with_name(f".{self.path.stem}-{rank}.arrow")


class ResultsWriter(Callback):
    """Writes a row for each expression that `validate` or `test` evaluates.

    On an error nothing is left behind.

    Args:
        folder: of the run.
        save_masks: write each prediction too, in run lengths.
    """

    def __init__(self, folder: Path, save_masks: bool = False) -> None:
        self.rows = RowWriter(folder, save_masks=save_masks)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.rows.begin(trainer)

    def _add(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - as in Lightning; what `validation_step` returns
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        found = Predictions(outputs["predictions"], outputs["scores"])
        self.rows.add(dataloader_idx, batch, outputs["counts"], found)

    def _end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, ReferringSegmentation)
        self.rows.finish(trainer, pl_module)
        if trainer.is_global_zero:  # of an earlier evaluation; this one's are written afterwards
            for name in (CRF_RESULTS_FILE, "words.png"):
                self.rows.path.with_name(name).unlink(missing_ok=True)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Remove the rows of an evaluation that did not come to its end."""
        self.rows.clear(trainer)

    on_validation_epoch_start = on_test_epoch_start = _begin
    on_validation_batch_end = on_test_batch_end = _add
    # After the epoch's end, as then the module has checked that every expression was counted.
    on_validation_end = on_test_end = _end


def result_rows(
    parts: Sequence[Path], loader: int, descriptions: Descriptions, split: str
) -> Iterator[pa.Table]:
    """The rows of results of a split, a few thousand at a time, by rising id.

    Args:
        parts: what the processes of the evaluation have measured.
        loader: number of the split's data loader.
        descriptions: of the expressions.
        split: its name.
    """
    for measures in merged(parts, loader):
        intersection, union, area = (
            measures[name].to_numpy() for name in ("intersection", "union", "area")
        )
        rows = descriptions.rows(measures["expression_id"].to_numpy())
        columns = {
            "intersection": intersection,
            "union": union,
            "area": area,
            "predicted_area": intersection + union - area,
            "iou": np.where(union > 0, intersection / np.maximum(union, 1), 1.0),
            "score": measures["score"],
            "split": pa.array([split] * len(measures)).dictionary_encode(),
            RLE.name: measures["rle"],
        }
        for name, values in columns.items():
            column = values if isinstance(values, pa.ChunkedArray) else [values]
            rows = rows.append_column(name, column)
        yield rows
