"""What Lightning says of itself, which a run does not repeat."""

import logging
import warnings


def quieten() -> None:
    """Silence what Lightning says of itself; what matters of a run is shown by us."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    ignored = (
        r".*could not find the monitored key.*",  # no validation yet
        r".*does not have many workers.*",  # small images are read faster than they are used
        r".*isinstance\(treespec, LeafSpec\).*",  # Lightning 2.6 on torch 2.9 and later
        r".*The number of training batches .* is smaller than the logging interval.*",
        r"Found .* module\(s\) in eval mode at the start of training.*",  # frozen backbones
        r"It is recommended to use `self.log\(.*sync_dist=True.*",  # our metrics are synchronised
        r"The dirpath has changed.*",  # evaluating into another folder than the training's
        r"You're resuming from a checkpoint that ended before the epoch.*",  # our loaders go on
        r".*Checkpoint directory .* exists and is not empty.*",  # going on with a run
        r"Detected call of `lr_scheduler.step\(\)` before.*",  # 16-mixed skips its first steps
        r"Be aware that when using `ckpt_path`, callbacks used to create.*",  # some are turned off
        r"You are trying to `self.log\(\)` but `Trainer\(barebones.*",  # we show the figures
    )
    for message in ignored:
        warnings.filterwarnings("ignore", message)
