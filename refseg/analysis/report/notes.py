"""What was run with what: the end of a report, from which its figures can be made again."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from refseg.analysis.run_masks import RunMasks
from refseg.analysis.trainings import training_of
from refseg.visualization.html.markup import Html, HtmlTable
from refseg.visualization.html.pages import Section
from refseg.visualization.html.rendering import render

_UNKNOWN = "–"
_COLUMNS = 4  # runs, which a page is wide enough for


def runs_section(runs: Mapping[str, RunMasks], page: Path) -> Section:
    """What each run was, and its config below.

    A few runs have a column each; of many, what is the same for all is said once, and each run has
    a row with the rest.

    Args:
        runs: by the name that the page gives them.
        page: where the page is written: files are named from there.
    """
    described = [_described(run, number, page) for number, run in enumerate(runs.values())]
    labels = list(dict.fromkeys(label for about in described for label in about))
    of_label = {label: [about.get(label, _UNKNOWN) for about in described] for label in labels}
    configs = [
        _config(name, run.config, number)
        for number, (name, run) in enumerate(runs.items())
        if run.config
    ]
    text = "Files are where they were when this page was written."
    if len(runs) <= _COLUMNS:
        table = HtmlTable(["run", *runs], list(of_label.items()))
        return Section("What was run", text, [table, *configs])
    same = {
        label: cells[0] for label, cells in of_label.items() if cells.count(cells[0]) == len(cells)
    }
    other = [label for label in labels if label not in same]
    rows = [
        (name, [of_label[label][number] for label in other]) for number, name in enumerate(runs)
    ]
    return Section(
        "What was run",
        text,
        [
            HtmlTable(["all runs", ""], [(label, [cell]) for label, cell in same.items()]),
            HtmlTable(["run", *other], rows),
            render("configs.html", configs=configs),
        ],
    )


def notes_on_masks(runs: Mapping[str, RunMasks]) -> list[str]:
    """What a reader should know of the predictions that are shown; what several have, once.

    Args:
        runs: the first seed of each model, by the name of the model.
    """
    if len(runs) == 1:
        return next(iter(runs.values())).notes()
    of_note: dict[str, list[str]] = {}
    for name, run in runs.items():
        for note in run.notes():
            of_note.setdefault(note, []).append(name)
    return [f"{', '.join(names)}: {note}" for note, names in of_note.items()]


def _described(run: RunMasks, number: int, page: Path) -> dict[str, str | Html]:
    summary = run.results.summary
    data, versions, model = (_part(summary, name) for name in ("data", "versions", "model"))
    leakage = _part(summary, "leakage").get("train_on_evaluation_images")
    about: dict[str, str | Html] = {
        part.replace("_", " "): str(name) for part, name in model.items()
    }
    about["data"] = str(data.get("source", _UNKNOWN))
    about["fingerprint of the data"] = _short(data.get("fingerprint"))
    known = ("yes" if leakage else "no") if isinstance(leakage, bool) else "not known"
    about["trained on evaluation images"] = known
    about["protocol"] = str(summary.get("protocol", _UNKNOWN))
    about["after DenseCRF"] = "yes" if run.after_crf else "no"
    about["seed"] = str(summary.get("seed", _UNKNOWN))
    about["trained for"] = str(training_of(run.results)) or _UNKNOWN
    about["checkpoint"] = _checkpoint(run, page)
    about["config"] = _link(f"#config-{number}", "below") if run.config else _UNKNOWN
    if run.config_file is not None:
        about["config file"] = _file(run.config_file, page)
    about["SHA-256 of the config"] = _short(summary.get("config_sha256"))
    about["commit"] = _short(summary.get("git_commit"))
    about["results"] = _file(run.results.path, page)
    about |= {str(name): str(value) for name, value in versions.items()}
    return about


def _part(summary: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = summary.get(name)
    return part if isinstance(part, dict) else {}


def _short(value: object) -> str | Html:
    """A hash, of which the first twelve letters are shown; all of them are there to be copied."""
    if not isinstance(value, str) or not value:
        return _UNKNOWN
    return render("hash.html", text=value)


def _checkpoint(run: RunMasks, page: Path) -> str | Html:
    if run.checkpoint is not None:
        return _file(run.checkpoint, page)
    named = run.results.summary.get("checkpoint")
    return f"{named} (absent)" if isinstance(named, str) else _UNKNOWN


def _file(path: Path, page: Path) -> Html:
    try:
        relative = os.path.relpath(path.absolute(), page.absolute().parent)
    except ValueError:  # on another drive
        return _link(path.absolute().as_uri(), path.name)
    return _link(quote(relative.replace(os.sep, "/")), relative)


def _link(address: str, text: str) -> Html:
    return render("link.html", address=address, text=text)


def _config(name: str, config: Mapping[str, Any], number: int) -> Html:
    text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    return render("config.html", name=name, text=text, number=number)


def titles(runs: Mapping[str, Sequence[object]]) -> list[str]:
    """A name for each seed of each model.

    Example:
        >>> titles({"rmi": [0, 1], "lstm": [0]})
        ['rmi (run 1)', 'rmi (run 2)', 'lstm']
    """
    return [
        name if len(seeds) == 1 else f"{name} (run {number})"
        for name, seeds in runs.items()
        for number in range(1, len(seeds) + 1)
    ]
