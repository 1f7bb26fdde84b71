"""From the runs that a comparison is given to the names of their models and their results."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from refseg.analysis.sweep_folders import SweepFolder, is_sweep, read_sweep_folder
from refseg.analysis.trainings import same_training, training_of
from refseg.errors import ConfigError
from refseg.evaluation.figures import empty_splits
from refseg.evaluation.results import Results, read_results
from refseg.evaluation.tables import empty_text, missing_text

_LISTED_RUNS = 4  # of more, the time of each is not listed where all were trained alike
_EVALUATIONS = ("test", "validate")

Run = str | os.PathLike[str] | Results
"""A run: the folder of an evaluation or of its training, a table of results, or what was read; in
a list of runs also the folder of a sweep, which stands for its finished runs."""

Runs = Run | Sequence[Run] | Mapping[str, Run | Sequence[Run]]
"""Runs as a comparison takes them, `read_contenders` says how."""

Contenders = dict[str, list[Results]]
"""The results of each model, by its name, one for each seed."""


class Chosen(NamedTuple):
    """What a comparison is about.

    Args:
        contenders: the results of each model.
        sweep: the sweep whose models they are, where they are those of one sweep and no others.
        notes: which runs of sweeps are left out.
    """

    contenders: Contenders
    sweep: SweepFolder | None
    notes: Sequence[str]


def read_contenders(runs: Runs, against: Sequence[Run] = (), baseline: str | None = None) -> Chosen:
    """Read all results.

    Args:
        runs: the runs of each model by its name (several are seeds of one model); or a list of
            runs, each perhaps with the name of its model before it (`rmi=runs/rmi-0`): runs of one
            name are seeds of one model. The folder of a sweep stands for its finished runs, each
            with the name that its model has in the sweep. Others are models of their own, unless …
        against: … these are given: then there are two models, and all runs are seeds of one.
        baseline: name of the model that becomes the first; by default the order is that of the
            runs.

    Raises:
        ConfigError: a run is given twice, names do not go together, no model has the name of the
            baseline, or no run of a sweep is finished.
        DataError: results are absent or damaged.
    """
    models: dict[str, list[Run]] = {}
    alone, sweeps = _without_sweeps(runs, against)
    sides = [*_sides(alone, against), *(sweep.models for sweep in sweeps)]
    for name, given in (model for side in sides for model in side.items()):
        if name in models:
            which = "on both sides of --against" if against else "for two models"
            raise ConfigError(
                f"Expected names that tell models apart, got '{name}' {which}; "
                "write NAME=RUN to choose others."
            )
        models[name] = list(given)
    contenders = {name: [_read(run) for run in given] for name, given in models.items()}
    if not any(contenders.values()):
        raise ConfigError("Expected at least one run to compare, got none; name its folder.")
    seen: set[Path] = set()
    for results in (one for found in contenders.values() for one in found):
        path = results.path.resolve()
        if path in seen:
            raise ConfigError(f"{results.path} is given twice; name each run once.")
        seen.add(path)
    notes = [note for sweep in sweeps for note in sweep.notes]
    only = sweeps[0] if len(sweeps) == 1 and contenders.keys() == sweeps[0].models.keys() else None
    return Chosen(_first(contenders, baseline), only, notes)


def _without_sweeps(runs: Runs, against: Sequence[Run]) -> tuple[Runs, list[SweepFolder]]:
    """The runs that were given one by one, and the sweeps that were given beside them."""
    if isinstance(runs, Mapping):
        for model, of_model in runs.items():
            for run in _listed(of_model):
                _refuse_sweep(run, f"as runs of '{model}'")
        return runs, []
    for run in against:
        _refuse_sweep(run, "behind --against")
    alone: list[Run] = []
    sweeps = []
    for run in _listed(runs):
        name, given = _split_name(run)
        if not is_sweep(_path(given)):
            alone.append(run)
            continue
        if name is not None or against:
            _refuse_sweep(given, "before --against" if against else f"as a run of '{name}'")
        sweeps.append(read_sweep_folder(_path(given)))
    return alone, sweeps


def _refuse_sweep(run: Run, place: str) -> None:
    if is_sweep(_path(_split_name(run)[1])):
        raise ConfigError(
            f"Expected runs of one model {place}, got the sweep {run}, whose models have names of "
            "their own; name its folder alone, or single runs in it."
        )


def _first(contenders: Contenders, baseline: str | None) -> Contenders:
    if baseline is None:
        return contenders
    if baseline not in contenders:
        raise ConfigError(
            f"Expected the name of a model as --baseline, got '{baseline}'; choose one of "
            f"{', '.join(contenders)}."
        )
    return {baseline: contenders[baseline], **contenders}


def _sides(runs: Runs, against: Sequence[Run]) -> list[dict[str, list[Run]]]:
    if isinstance(runs, Mapping):
        if against:
            raise ConfigError(
                "Expected the models by name or two lists of runs, got names and `against`; give "
                "both models by name, or runs as a list."
            )
        return [{name: _listed(given) for name, given in runs.items() if _listed(given)}]
    if against:
        return [_one_model(_listed(runs)), _one_model(_listed(against))]
    return [_models(_listed(runs))]


def _listed(runs: Run | Sequence[Run]) -> list[Run]:
    alone = isinstance(runs, str | os.PathLike | Results)
    return [runs] if alone else list(runs)  # type: ignore[list-item, arg-type]  # told apart above


def _read(run: Run) -> Results:
    return run if isinstance(run, Results) else read_results(Path(run))


def notes_on(contenders: Contenders) -> Iterator[str]:
    """What a reader should know before believing a comparison."""
    protocols = {
        name: str(protocol)
        for name, found in contenders.items()
        for results in found
        if (protocol := results.summary.get("protocol")) is not None
    }
    if len(set(protocols.values())) > 1:
        listed = ", ".join(f"{name}: {protocol}" for name, protocol in protocols.items())
        yield f"The runs were counted by different protocols ({listed})."
    for name, found in contenders.items():
        leakage = [results.summary.get("leakage") for results in found]
        if any(isinstance(one, dict) and one.get("train_on_evaluation_images") for one in leakage):
            yield f"{name} was trained on images of the evaluation splits."
        yield from _empty(name, found)
        yield from _missing(name, found)
        if not all(results.summary for results in found):
            yield (
                f"{name} has rows without their summary.json: an evaluation was broken off, or the "
                "rows were taken elsewhere. Nothing tells what was evaluated, and whether it was "
                "trained on images of the evaluation splits."
            )
    if len(contenders) > 1 and min(len(found) for found in contenders.values()) < 2:
        yield (
            "The intervals cover the choice of images, not that of the seed; train several seeds "
            "and compare A1 A2 A3 --against B1 B2 B3 to cover both."
        )


def _empty(name: str, found: Sequence[Results]) -> Iterator[str]:
    """Say where a model predicts nothing at all, which figures of 0.00 do not show."""
    for number, results in enumerate(found, start=1):
        splits = empty_splits(results.table)
        if splits:
            run = name if len(found) == 1 else f"{name} (run {number})"
            yield f"{run}: {empty_text(splits)}"


def _missing(name: str, found: Sequence[Results]) -> Iterator[str]:
    """Say how many expressions another program's predictions leave out."""
    for results in found:
        about = results.summary.get("predictions")
        missing = about.get("missing") if isinstance(about, dict) else None
        if isinstance(missing, dict) and (text := missing_text(missing)):
            yield f"{name}: {text}"


def training_note(contenders: Contenders) -> Iterator[str]:
    """How long each run was trained, where that is known of any."""
    trained = {
        name: [training_of(results) for results in found] for name, found in contenders.items()
    }
    every = [one for runs in trained.values() for one in runs]
    if len(every) > _LISTED_RUNS and (summary := same_training(every)) is not None:
        yield f"{summary}."
    elif any(str(one) for one in every):
        listed = "; ".join(
            f"{name}: {', '.join(str(one) or 'not known' for one in runs)}"
            for name, runs in trained.items()
        )
        yield f"Trained for {listed}."


def _models(runs: Sequence[Run]) -> dict[str, list[Run]]:
    pairs = [_split_name(run) for run in runs]
    nameless = [run for name, run in pairs if name is None]
    short = iter(_short_names([_path(run) for run in nameless]))
    given = {name for name, _ in pairs if name is not None}
    named: dict[str, list[Run]] = {}
    for name, run in pairs:
        found = next(short) if name is None else name
        if name is None and found in given:
            raise ConfigError(
                f"Expected names that tell models apart, got {found}=RUN and {_path(run)}, which "
                f"is called '{found}' as well; write NAME={_path(run)}."
            )
        named.setdefault(found, []).append(run)
    return named


def _one_model(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Seeds of one model, called by what their names begin with."""
    pairs = [_split_name(run) for run in runs]
    seeds = [run for _, run in pairs]
    given = {name for name, _ in pairs if name is not None}
    if len(given) > 1:
        raise ConfigError(
            f"Expected seeds of one model on each side of --against, got {', '.join(sorted(given))}"
            "; leave out --against, or the names."
        )
    if given:
        return {given.pop(): seeds}
    names = _short_names([_path(run) for run in seeds])
    if len(names) == 1:
        return {names[0]: seeds}
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = re.sub(r"[\W_]*(seed|run)?[\W_]*$", "", "".join(letters[0] for letters in same))
    return {start or f"{names[0]} …": seeds}


def _split_name(run: Run) -> tuple[str | None, Run]:
    """`NAME=PATH` taken apart, unless there is a file of that name."""
    if not isinstance(run, str):
        return None, run
    name, equals, path = run.partition("=")
    if not equals or not name or not path or os.sep in name or Path(run).exists():
        return None, run
    return name, path


def _path(run: Run) -> Path:
    return run.path if isinstance(run, Results) else Path(run)


def _short_names(paths: Sequence[Path]) -> list[str]:
    """The name of each run's folder, with folders above it as long as two have the same."""
    folders = [_folder(path).parts for path in paths]
    for length in range(1, max(map(len, folders), default=0) + 1):
        names = [str(Path(*parts[-length:])) for parts in folders]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _folder(path: Path) -> Path:
    absolute = path.absolute()
    if absolute.suffix == ".parquet":
        absolute = absolute.parent
    return absolute.parent if absolute.name in _EVALUATIONS else absolute
