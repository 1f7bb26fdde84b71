"""`sweep.json`: which run of a sweep belongs to which model, for what compares its runs later."""

import json
from collections.abc import Sequence
from pathlib import Path

from refseg.files import write_text
from refseg.sweeps.definition import Sweep, is_seed
from refseg.sweeps.results import model_name
from refseg.sweeps.runs import Run

SWEEP_FILE = "sweep.json"
"""In the folder of a sweep; `refseg.analysis.sweep_folders` reads it."""


def write_record(sweep: Sweep, runs: Sequence[Run], folder: Path) -> None:
    """Write which runs there are: the folder, model and seed of each, and whether it is finished.

    A run that was stopped early is not finished, and has `stopped`.

    Runs that differ in their seed only are runs of one model.

    Args:
        sweep: what is run.
        runs: all of its runs, in order.
        folder: of the sweep.
    """
    content = {
        "sweep": sweep.name,
        "runs": [_entry(sweep, run) for run in runs],
    }
    text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
    write_text(folder / SWEEP_FILE, text + "\n")


def _entry(sweep: Sweep, run: Run) -> dict[str, object]:
    entry = {
        "folder": run.name,
        "model": model_name(sweep, run.combination),
        "seed": _seed(run),
        "finished": run.result() is not None,
    }
    return entry if run.stopped() is None else {**entry, "stopped": True}


def _seed(run: Run) -> object:
    """The value of the parameter that is a seed; null where the sweep varies none."""
    return next((value for name, value in run.combination.items() if is_seed(name)), None)
