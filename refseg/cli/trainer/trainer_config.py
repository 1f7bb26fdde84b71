"""What one option of the trainer says about the others: what is turned off is not asked for."""

import os
import pydoc
from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch.callbacks import (
    Callback,
    Checkpoint,
    DeviceStatsMonitor,
    LearningRateMonitor,
    ProgressBar,
    WeightAveraging,
)
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from refseg.errors import ConfigError
from refseg.progress import has_bars
from refseg.training import ProgressLines
from refseg.training.loggers import WeightsAndBiases

# Callbacks that log and do nothing else; Lightning refuses them where there is no logger.
_LOGGING: tuple[type, ...] = (LearningRateMonitor, DeviceStatsMonitor)


def turn_off(trainer: Namespace, *, trains: bool = True) -> None:
    """Take out of a trainer's config what another of its options, or its task, turns off.

    A config names logger and callbacks, and Lightning refuses contradictions: with
    `--trainer.logger false` or `--trainer.enable_checkpointing false`, the callbacks that go with
    them are meant, too. What `--trainer.barebones true` does without is told. Weights are averaged
    while they are trained, and a checkpoint has the averages.

    Args:
        trainer: its config, which is changed.
        trains: it is to train, not to evaluate.
    """
    if trainer.barebones:
        _say("Barebones: no logger, no checkpoints, no progress bar, no check before training.")
        for name in ("logger", "enable_checkpointing", "enable_progress_bar"):
            trainer[name] = False
        trainer.enable_model_summary = False
        trainer.num_sanity_val_steps = trainer.log_every_n_steps = 0
    off = _LOGGING if trainer.logger is False or trainer.logger == [] else ()
    if trainer.enable_checkpointing is False:
        off += (Checkpoint,)
    if not trains:
        off += (WeightAveraging,)
    trainer.callbacks = [part for part in listed(trainer.callbacks) if not _is_one(part, off)]


def check_handing_on(trainer: Namespace) -> None:
    """Make sure that a stage of a training leaves the checkpoint that the next one starts with.

    Args:
        trainer: config of the stage's trainer.

    Raises:
        ConfigError: it saves no checkpoint.
    """
    for name, is_off in (
        ("enable_checkpointing", trainer.enable_checkpointing is False),
        ("fast_dev_run", bool(trainer.fast_dev_run)),
    ):
        if is_off:
            raise ConfigError(
                f"Expected each stage to leave a checkpoint, which the next one starts with, got "
                f"trainer.{name} {str(trainer[name]).lower()}; leave it out, or name the config of "
                "one stage alone."
            )


def place_in(folder: Path, trainer: Namespace) -> None:
    """Let checkpoints and logs of a trainer's config lie in `folder`, where they name no other.

    Relative folders of loggers and callbacks are meant relative to the run.
    """
    trainer.default_root_dir = str(folder)
    for part in [*listed(trainer.logger), *listed(trainer.callbacks)]:
        arguments = part.get("init_args", {})
        for name in ("save_dir", "dirpath"):
            if arguments.get(name) is not None:
                arguments[name] = str(folder / arguments[name])


def name_wandb_runs(config: Namespace) -> None:
    """Name runs of W&B without a name after their config files, fusion and seed.

    Without a group of its own, a run is in that of the other seeds.

    Args:
        config: of the verb, whose loggers are changed.
    """
    files = [Path(str(file)).stem for file in config.get("config") or [] if file is not None]
    group = "-".join([*files, str(config.model.fusion.class_path).rpartition(".")[2]])
    for part in listed(config.trainer.logger):
        if _is_one(part, (WeightsAndBiases,)):
            named = part.init_args
            if named.name is None:
                named.name = f"{group}-seed{config.seed_everything}"
            if named.group is None and "WANDB_RUN_GROUP" not in os.environ:
                named.group = group


def lines_for_bar(trainer: Namespace, on_stderr: bool) -> list[Callback]:
    """What tells how far a run is, where Lightning's bar cannot be drawn: nothing on a terminal.

    Args:
        trainer: its config, in which the bar is then turned off; a bar that it names stays.
        on_stderr: where the lines shall go.
    """
    has_bar = any(_is_one(part, (ProgressBar,)) for part in listed(trainer.callbacks))
    if has_bar or trainer.enable_progress_bar is False or has_bars(Console()):
        return []
    trainer.enable_progress_bar = False
    return [ProgressLines(on_stderr=on_stderr)]


def listed(parts: object) -> list[Namespace]:
    """The loggers or callbacks of a config, which may also be a single one, or none.

    Args:
        parts: as the parser left them; true and false stand for Lightning's own, and for none.
    """
    found = parts if isinstance(parts, list) else [parts]
    return [part for part in found if isinstance(part, Namespace)]


def _is_one(part: Namespace, classes: tuple[type, ...]) -> bool:
    named = pydoc.locate(part.class_path)
    return isinstance(named, type) and issubclass(named, classes)


@rank_zero_only
def _say(line: str) -> None:
    print(line)
