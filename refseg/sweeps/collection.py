"""The runs of a sweep from everywhere: this folder, other folders, W&B."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from refseg.errors import ConfigError
from refseg.sweeps.command import expand
from refseg.sweeps.definition import Sweep, values_of
from refseg.sweeps.distributions import is_number
from refseg.sweeps.hyperband import Verdict
from refseg.sweeps.runs import Outcome, Result, Run, read_result
from refseg.sweeps.wandb_runs import LoggedRun, offline_files, read_offline, read_remote


@dataclass(frozen=True)
class CollectedRun:
    """A run that W&B knows of.

    Args:
        name: of the run.
        combination: the values of the sweep's parameters.
        outcome: its figures, or why it was stopped; None: it did not finish.
        command: not known.
    """

    name: str
    combination: Mapping[str, Any]
    outcome: Result | Verdict | None = None
    command: tuple[str, ...] = ()

    def result(self) -> Result | None:
        """What came out; None where it did not finish."""
        return self.outcome if isinstance(self.outcome, Result) else None

    def stopped(self) -> Verdict | None:
        """Why it was stopped early; None where it was not."""
        return self.outcome if isinstance(self.outcome, Verdict) else None


class Collection(NamedTuple):
    """The runs of a sweep, wherever they were run.

    Args:
        sweep: with the values that they have.
        runs: each combination once.
        notes: what was found where, and what was passed over.
    """

    sweep: Sweep
    runs: Sequence[Outcome]
    notes: Sequence[str]


def collect(
    sweep: Sweep, planned: Sequence[Run], sources: Sequence[str], overrides: Sequence[str] = ()
) -> Collection:
    """Put the runs of a sweep on this machine beside those that are elsewhere.

    A run of `refseg sweep` in another folder belongs to the sweep when its command is that of the
    sweep file. A run of W&B does when its config has a value for each parameter; of a grid, one of
    the grid. Of W&B's runs, the figures are those of the last validation, with which `refseg fit`
    ends: that of the best checkpoint, as in `metrics.json`. Where a run has left a `metrics.json`
    beside W&B's files, that counts.

    Of two runs of one combination, one is kept that is finished.

    Args:
        sweep: the sweep file.
        planned: the runs of this machine, as `plan` makes them.
        sources: folders, which are searched, or sweeps on W&B as ENTITY/PROJECT/SWEEP_ID.
        overrides: words that every command of this machine gets at its end.

    Raises:
        ConfigError: a source is neither, or the sweep has no metric to read of W&B's runs.
    """
    local: list[Outcome] = list(planned)
    logged: dict[str, LoggedRun] = {}
    notes = []
    seen = {run.folder.resolve() for run in planned}
    for source in sources:
        folder = Path(source)
        if folder.is_dir():
            every, others = _local_runs(sweep, folder, overrides)
            found = [run for run in every if run.folder not in seen]
            seen |= {run.folder for run in found}
            local += found
            files = [path for path in offline_files(folder) if not _is_of_a_sweep(path)]
            runs = [read_offline(path) for path in files]
            notes.append(f"{source}: {len(found)} runs of a sweep here, {len(runs)} of W&B")
            notes += [_passed_over(source, *each) for each in Counter(others).items()]
        else:
            runs = read_remote(source)
            notes.append(f"{source}: {len(runs)} runs on W&B")
        logged |= {run.identity or run.name: run for run in runs}
    remote, passed = _remote_runs(sweep, list(logged.values()), local)
    if passed:
        notes.append(
            f"Passed over {passed} runs of W&B without a value of the sweep's for each of "
            f"{', '.join(sweep.parameters)}."
        )
    kept = _each_once([*local, *remote])
    if len(kept) < len(local) + len(remote):
        notes.append(f"{len(local) + len(remote) - len(kept)} runs were there twice.")
    if sweep.drawn is None:
        return Collection(sweep, kept, notes)
    # What this machine has drawn and never run stands for nothing.
    kept = [run for run in kept if run.result() or run.stopped()] or kept
    drawn = tuple(run.combination for run in kept)
    return Collection(replace(sweep, drawn=drawn, parameters=values_of(drawn)), kept, notes)


def _local_runs(
    sweep: Sweep, folder: Path, overrides: Sequence[str]
) -> tuple[list[Run], list[tuple[str, ...]]]:
    """The runs below a folder whose command is that of the sweep file; others' last options."""
    found, others = [], []
    for path in sorted(folder.rglob("run.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            command, combination = tuple(record["command"]), dict(record["parameters"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if combination.keys() != sweep.parameters.keys():
            continue
        own = tuple(expand(sweep, combination))
        options = command[len(own) :]
        if command[: len(own)] == own and options == tuple(overrides):
            found.append(Run(path.parent.resolve(), combination, command))
        elif command[: len(own)] == own:
            others.append(options)
    return found, others


def _passed_over(source: str, options: tuple[str, ...], count: int) -> str:
    remedy = f"end the command with: -- {shlex.join(options)}" if options else "leave out the --"
    return f"{source}: passed over {count} runs with other options; to show these, {remedy}"


def _is_of_a_sweep(path: Path) -> bool:
    """Whether W&B's file lies in a run of `refseg sweep`, which tells more."""
    return any((above / "run.json").is_file() for above in path.parents)


def _remote_runs(
    sweep: Sweep, logged: Sequence[LoggedRun], local: Sequence[Outcome]
) -> tuple[list[CollectedRun], int]:
    """The runs of W&B that belong to the sweep, and how many do not."""
    if not logged:
        return [], 0
    if sweep.metric is None:
        raise ConfigError(
            f"{sweep.path}: metric: expected its `name` and `goal`, by which the validations "
            "of W&B's runs are found; got none."
        )
    combinations = [_combination(sweep, run.config) for run in logged]
    verdicts = _verdicts(sweep, logged)
    runs = [
        CollectedRun(
            run.name or run.identity,
            combination,
            _result(sweep.metric, run) or verdicts.get(run.identity),
        )
        for run, combination in zip(logged, combinations, strict=True)
        if combination is not None
    ]
    return runs, len(logged) - len(runs)


def _combination(sweep: Sweep, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the sweep's parameters; None where one is absent or is none of the grid."""
    found = {}
    for name, values in sweep.parameters.items():
        try:
            value = _value(config, name)
        except KeyError:
            return None
        # 16.0 of JSON is the 16 of the file, but true is not 1.
        same = [v for v in values if v == value and isinstance(v, bool) == isinstance(value, bool)]
        if not same and (sweep.drawn is None or isinstance(value, dict | list)):
            return None
        found[name] = same[0] if same else value
    return found


def _value(config: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """A value by its dotted name: as a sweep's agent writes it, or as a nested config has it."""
    if name in config:
        return config[name]
    place: Any = config
    for part in name.split("."):
        if not isinstance(place, Mapping):
            raise KeyError(name)
        place = place[part]
    return place


def _result(metric: str, run: LoggedRun) -> Result | None:
    """The figures of a run that is finished."""
    if not run.is_finished:
        return None
    # Files of W&B lie in RUN/wandb/offline-run-…, and those of the training in RUN.
    beside = None if run.folder is None else read_result(run.folder.parent.parent)
    if beside is not None:
        return beside
    rows = [row for row in run.history if is_number(row.get(metric))]
    if not rows:
        return None
    split = metric.rpartition("/")[0]
    figures = {name: value for name, value in rows[-1].items() if name.rpartition("/")[0] == split}
    return Result({name: float(value) for name, value in figures.items() if is_number(value)})


def _verdicts(sweep: Sweep, logged: Sequence[LoggedRun]) -> Mapping[str, Verdict]:
    """Which of the runs that did not finish the sweep's rule stops, by their identities."""
    metric, stopping = sweep.metric, sweep.stopping
    if stopping is None or metric is None:
        return {}
    curves = {
        run.identity: [row[metric] for row in run.history if is_number(row.get(metric))]
        for run in logged
    }
    ended = [run.identity for run in logged if not run.is_finished]
    return stopping.to_stop(curves, ended, sweep.maximize)


def _each_once(runs: Iterable[Outcome]) -> list[Outcome]:
    """Of each combination a run that is finished, else one that was stopped, else any."""
    kept: dict[str, Outcome] = {}
    for run in runs:
        key = json.dumps(dict(run.combination), sort_keys=True, default=str)
        if key not in kept or _completeness(run) > _completeness(kept[key]):
            kept[key] = run
    return list(kept.values())


def _completeness(run: Outcome) -> int:
    return 2 * (run.result() is not None) + (run.stopped() is not None)
