"""The folder of a sweep as what it is: a comparison of models, each with its seeds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from refseg.errors import ConfigError, DataError
from refseg.evaluation.results import has_results

_SWEEP_FILE = "sweep.json"  # `refseg sweep` writes it
_RUN_FILE = "run.json"  # in each of its runs
_MOST_NAMED = 8


class SweepFolder(NamedTuple):
    """The finished runs of a sweep.

    Args:
        path: of the folder.
        name: of the sweep.
        models: the folders of the runs of each model, one for each seed.
        notes: which runs are left out.
    """

    path: Path
    name: str
    models: Mapping[str, Sequence[Path]]
    notes: Sequence[str]


def is_sweep(path: Path) -> bool:
    """Whether a path is the folder of a sweep, and not that of a run."""
    if not path.is_dir() or has_results(path):
        return False
    return (path / _SWEEP_FILE).is_file() or any(path.glob(f"*/{_RUN_FILE}"))


def read_sweep_folder(path: Path) -> SweepFolder:
    """Read which runs of a sweep belong to which model; the results are not opened.

    Args:
        path: of the folder that `refseg sweep` has filled, or is filling still.

    Raises:
        ConfigError: no run is finished.
        DataError: the record of the runs is absent or damaged.
    """
    name, runs = _record(path / _SWEEP_FILE)
    models: dict[str, list[Path]] = {}
    unfinished: dict[str, list[str]] = {}
    stopped = sum(run["stopped"] for run in runs)
    for run in runs:
        if run["finished"]:
            models.setdefault(run["model"], []).append(path / run["folder"])
        elif not run["stopped"]:
            seed = "" if run["seed"] is None else f" (seed {run['seed']})"
            unfinished.setdefault(run["model"], []).append(f"{run['model']}{seed}")
    if not models:
        raise ConfigError(
            f"Expected finished runs in the sweep {path}, got none of {len(runs)}; go on with the "
            "same `refseg sweep` command, and compare when some are finished."
        )
    notes = []
    if unfinished:
        listed = [text for texts in unfinished.values() for text in texts]
        more = len(listed) - _MOST_NAMED
        shown = ", ".join(listed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        notes.append(
            f"Of the sweep {name}, {len(listed)} of {len(runs)} runs failed or are not finished, "
            f"and are left out: {shown}."
        )
    if stopped:
        notes.append(
            f"Of the sweep {name}, {stopped} of {len(runs)} runs were stopped early, as others "
            "were better, and are left out."
        )
    absent = [model for model in unfinished if model not in models]
    if absent:
        notes.append(f"No run is finished of {', '.join(absent)}, which is therefore not compared.")
    return SweepFolder(path, name, models, notes)


def _record(path: Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """The name of the sweep and its runs, with the keys that are needed."""
    remedy = "run the same `refseg sweep` command again: finished runs are not made anew"
    if not path.is_file():
        raise DataError(
            f"Expected {path.name} in the sweep {path.parent}, got a sweep of an earlier version; "
            f"{remedy}."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        runs = [
            {
                "folder": str(run["folder"]),
                "model": str(run["model"]),
                "seed": run["seed"],
                "finished": run["finished"] is True,
                "stopped": run.get("stopped") is True,
            }
            for run in content["runs"]
        ]
        return str(content["sweep"]), runs
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is not the record of a sweep ({reason}); {remedy}.") from None
