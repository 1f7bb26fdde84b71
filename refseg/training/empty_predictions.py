"""Says that a model predicts nothing at all, which figures of 0.00 alone do not."""

from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from refseg.evaluation.tables import empty_text
from refseg.training.module import ReferringSegmentation
from refseg.training.progress_lines import learning_rate

ADVICE = (
    "This is usual in the first hundreds of steps, and few photographs make few steps in an epoch; "
    "if it stays so, train longer (--trainer.max_epochs) or at a higher rate "
    "(--model.optimizer.lr)."
)


class EmptyPredictions(Callback):
    """After each validation of a training in which nothing at all is predicted, says so."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print a line, with the steps that are done and the learning rate."""
        assert isinstance(pl_module, ReferringSegmentation)
        is_training = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if is_training and pl_module.empty_splits and trainer.is_global_zero:
            total = trainer.estimated_stepping_batches
            of = f" of {total:,.0f}" if total < float("inf") else ""
            rate = learning_rate(trainer)
            at = "" if rate is None else f", learning rate {rate:.3g}"
            where = f"After step {trainer.global_step:,}{of}{at}"
            print(f"{where}: {empty_text(pl_module.empty_splits)}", flush=True)


def final_note(splits: Mapping[str, int], steps: int | None) -> str:
    """The same below the figures of an evaluation, with what to do.

    Args:
        splits: the number of expressions of each.
        steps: after which the weights were saved; None where nobody knows.
    """
    when = "" if steps is None else f" after {steps:,} steps of training"
    return f"Note: {empty_text(splits).removesuffix('.')}{when}. {ADVICE}"
