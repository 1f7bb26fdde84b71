"""The checkpoint that a verb takes where none is named: that of the newest finished run."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from refseg.errors import ConfigError

RUNS = Path("runs")
"""Where `refseg fit` and `refseg sweep` make their folders, in the working directory."""

_METRICS = "metrics.json"
_WRITTEN_BY_TRAINING = "training_seconds"  # an evaluation leaves a metrics.json, too
_WITHOUT_RUNS = {"checkpoints", "logs", "masks", "lightning_logs", "wandb"}


def default_checkpoint(runs: Path = RUNS) -> Path:
    """The checkpoint of the newest finished run, which a line on stderr names.

    Args:
        runs: the folder with the runs.

    Raises:
        ConfigError: there is no finished run.
    """
    newest = newest_checkpoint(runs)
    if newest is None:
        raise ConfigError(
            "Expected a checkpoint, got none, and found no finished run (a metrics.json that "
            f"`refseg fit` wrote, with its checkpoint) in the folder {runs} or below it; name one "
            "with --checkpoint, or make one with `refseg fit --config rmi.yaml`."
        )
    print(f"checkpoint of the newest finished run: {newest}", file=sys.stderr, flush=True)
    return newest


def newest_checkpoint(runs: Path) -> Path | None:
    """The checkpoint of the training that finished last; None where there is none.

    A run is finished when it has a `metrics.json`, which `refseg fit` writes last of all. Runs of
    sweeps count, and so do the stages of a training. The time is that of `metrics.json`.

    Args:
        runs: the folder with the runs.
    """
    finished = sorted(_metrics_files(runs), key=lambda path: path.stat().st_mtime, reverse=True)
    found = (_checkpoint_of(path) for path in finished)
    return next((path for path in found if path is not None), None)


def _metrics_files(runs: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(runs):
        folders[:] = [name for name in folders if name not in _WITHOUT_RUNS and name[:1] != "."]
        if _METRICS in files:
            yield Path(folder, _METRICS)


def _checkpoint_of(metrics: Path) -> Path | None:
    try:
        content = json.loads(metrics.read_bytes())
    except (OSError, ValueError, RecursionError):  # not a file of ours
        return None
    if not isinstance(content, dict) or _WRITTEN_BY_TRAINING not in content:
        return None
    recorded = content.get("checkpoint")
    if not isinstance(recorded, str):
        return None
    own = metrics.parent / "checkpoints" / Path(recorded).name  # the folder may have been moved
    return next((path for path in (own, Path(recorded)) if path.is_file()), None)
