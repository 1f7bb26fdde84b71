"""Figures and rows of an evaluation after DenseCRF, beside those without it."""

from functools import partial
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from refseg.evaluation import STANDARD, SplitMetrics, mean_figures
from refseg.evaluation.counting import count_pixels
from refseg.evaluation.predictions import Predictions
from refseg.evaluation.results import CRF_RESULTS_FILE
from refseg.inference.crf_processes import RefinementQueue
from refseg.training import says_progress
from refseg.training.callbacks.results import RowWriter
from refseg.training.module import ReferringSegmentation
from refseg.types import Batch


class CRFEvaluation(Callback):
    """Evaluates the predictions of `validate` and `test` after DenseCRF too.

    Each split gets a second row of figures, by the standard protocol: every expression once, in own
    size, by its id. `results_crf.parquet` has a row for each expression, as `results.parquet` has
    without DenseCRF.

    Args:
        queue: what refines.
        folder: of the run.
        save_masks: write each prediction too, in run lengths.
    """

    def __init__(self, queue: RefinementQueue, folder: Path, save_masks: bool = False) -> None:
        self.queue = queue
        self.rows = RowWriter(folder, CRF_RESULTS_FILE, save_masks)
        self.figures: dict[str, dict[str, float]] = {}

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, ReferringSegmentation)
        self.queue.fill = pl_module.data.transform.fill
        self._metrics = SplitMetrics(pl_module.evaluated_splits(), pl_module.device)
        self.rows.begin(trainer)

    def _add(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert isinstance(pl_module, ReferringSegmentation)
        assert pl_module.logits is not None
        self.queue.add(batch, pl_module.logits, partial(self._count, dataloader_idx, batch))

    def _count(self, loader: int, batch: Batch, found: Predictions) -> None:
        counts = count_pixels(batch, found.masks, STANDARD)
        self._metrics.add(loader, batch, counts)
        self.rows.add(loader, batch, counts, found)

    def _finish_figures(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish what waits, and work out the figures."""
        assert isinstance(pl_module, ReferringSegmentation)
        self.queue.drain(progress=says_progress(trainer))
        self.figures = self._metrics.figures()
        if trainer.validating and pl_module.data.splits.is_mixture:
            self.figures["val"] = mean_figures(self.figures.values())
        for split, row in self.figures.items():
            name = crf_row(split, pl_module)
            logged = {f"{name}/{key}": value for key, value in row.items()}
            pl_module.log_dict(logged, rank_zero_only=True)

    def _finish_rows(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table, and put the figures of each split below those without DenseCRF."""
        assert isinstance(pl_module, ReferringSegmentation)
        self.rows.finish(trainer, pl_module)
        results = {}
        for split, row in pl_module.results.items():
            results[split] = row
            if split in self.figures:
                results[crf_row(split, pl_module)] = self.figures[split]
        pl_module.results = results

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the processes."""
        self.queue.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the processes, and remove the rows of an evaluation that did not come to its end."""
        self.queue.close()
        self.rows.clear(trainer)

    on_validation_epoch_start = on_test_epoch_start = _begin
    on_validation_batch_end = on_test_batch_end = _add
    on_validation_epoch_end = on_test_epoch_end = _finish_figures
    on_validation_end = on_test_end = _finish_rows


def crf_row(split: str, module: ReferringSegmentation) -> str:
    """What the figures of a split after DenseCRF are called, beside those without it.

    Args:
        split: of the evaluation.
        module: whose first protocol the other figures follow.
    """
    name = f"{split} + CRF"
    return name if module.protocols[0] is STANDARD else f"{name} (standard)"
