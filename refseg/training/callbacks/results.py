"""Results as data: `results.parquet` and `summary.json` in the folder of an evaluation."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from refseg.evaluation.counting import PixelCounts
from refseg.evaluation.measures import MeasureFile
from refseg.evaluation.predictions import Predictions
from refseg.evaluation.results import CRF_RESULTS_FILE, RESULTS_FILE, SUMMARY_FILE
from refseg.training.module import ReferringSegmentation
from refseg.training.result_rows import add_measures, write_rows
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
        add_measures(self._measures, loader, batch, counts, found, self.save_masks)

    def finish(self, trainer: Trainer, module: ReferringSegmentation) -> None:
        """Write the table; with several processes all of them must call it."""
        if self._measures is None:
            return
        self._measures.close()
        trainer.strategy.barrier("the rows of all processes are written")
        if trainer.is_global_zero:
            parts = [self._part(rank) for rank in range(trainer.world_size)]
            columns = {
                "+".join(splits): module.data.splits.expression_columns(splits)
                for splits in module.evaluated_groups()
            }
            write_rows(self.path, parts, columns, self.save_masks)
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
    """Writes a row for each expression that is evaluated: in a training, of its latest validation.

    On an error nothing is left behind.

    Args:
        folder: of the run.
        save_masks: write each prediction too, in run lengths.
    """

    def __init__(self, folder: Path, save_masks: bool = False) -> None:
        self.rows = RowWriter(folder, save_masks=save_masks)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        is_trial = bool(trainer.fast_dev_run) and trainer.state.fn == TrainerFn.FITTING  # type: ignore[attr-defined]  # set by its constructor
        if not (trainer.sanity_checking or is_trial):
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
            for name in (SUMMARY_FILE, CRF_RESULTS_FILE, "words.png"):
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
