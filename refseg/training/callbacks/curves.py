"""The metrics of each validation, in a file that others can read while the training goes on."""

import json
import math
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from refseg.files import write_text

CURVE_FILE = "curve.jsonl"


class ValidationCurve(Callback):
    """Writes the metrics of each validation of a training to `curve.jsonl` of the run.

    A line of JSON has the step and each metric by its name. `refseg sweep` reads them to stop runs
    early. A training that goes on from a checkpoint goes on with the lines up to there.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add a line, in place of those that an earlier attempt has left of this step or later."""
        if (
            trainer.state.fn != TrainerFn.FITTING
            or trainer.sanity_checking
            or not trainer.is_global_zero
        ):
            return
        path = Path(trainer.default_root_dir).absolute() / CURVE_FILE
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        record = {"step": trainer.global_step, **finite}
        lines = [*_lines_before(path, trainer.global_step), json.dumps(record)]
        write_text(path, "\n".join(lines) + "\n")


def _lines_before(path: Path, step: int) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if json.loads(line)["step"] < step]
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or no file of ours
        return []
