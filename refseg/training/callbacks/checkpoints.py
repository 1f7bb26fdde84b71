"""Checkpoints that are complete, and a folder that no other run takes."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from refseg import __version__
from refseg.files import write_text
from refseg.training.module import ReferringSegmentation
from refseg.training.run_lock import remove


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
