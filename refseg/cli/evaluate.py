"""`refseg evaluate`: what the same predictions are worth under several protocols."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refseg.checkpoint.packages import OPTION
from refseg.cli.command_line import add_import_option
from refseg.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = """\
examples:
  refseg evaluate RUN/checkpoints/best.ckpt --all-protocols
  refseg evaluate RMI/checkpoints/best.ckpt LSTM/checkpoints/best.ckpt --all-protocols --splits val
  refseg evaluate best.ckpt --protocol lavt --protocol cris --data.root DIR

Options of `refseg test` that begin with --data., --trainer. or --model. are handed on to it."""

_HANDED_ON = ("--data.", "--trainer.", "--model.")

Figures = dict[str, dict[str, dict[str, float]]]  # protocol -> split -> figure -> value


class _Parser(argparse.ArgumentParser):
    """Keeps what is meant for `refseg test` apart."""

    def parse_args(  # type: ignore[override]  # the namespace is always a new one
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse the options; `handed_on` has those of `refseg test`."""
        own, handed_on = separate(sys.argv[1:] if args is None else args)
        arguments = super().parse_args(own, namespace)
        arguments.handed_on = handed_on
        return arguments


def parser() -> argparse.ArgumentParser:
    """The options of the verb."""
    options = _Parser(
        prog="refseg evaluate",
        description="Evaluate checkpoints as `refseg test` does, and count the same predictions as "
        "other codes of the field would: one forward pass, one table.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("checkpoints", nargs="+", type=Path, help="what `refseg fit` wrote")
    options.add_argument("--all-protocols", action="store_true", help="count in all known ways")
    options.add_argument(
        "--protocol", action="append", metavar="NAME", help="count in this way; may be repeated"
    )
    options.add_argument(
        "--splits", nargs="+", metavar="SPLIT", help="default: all that are not trained on"
    )
    options.add_argument(
        "--output", type=Path, help="folder for the figures; default: `evaluate` in each run"
    )
    add_import_option(options)
    return options


def separate(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words for this verb, and those for `refseg test`.

    Example:
        >>> separate(["best.ckpt", "--data.root", "DIR", "--all-protocols"])
        (['best.ckpt', '--all-protocols'], ['--data.root', 'DIR'])
    """
    own: list[str] = []
    handed_on: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith(_HANDED_ON):
            own.append(word)
            continue
        handed_on.append(word)
        if "=" not in word and rest and not rest[0].startswith("--"):
            handed_on.append(rest.pop(0))
    return own, handed_on


def run(arguments: argparse.Namespace) -> int:
    """Evaluate each checkpoint in a process of its own, and print the tables."""
    from rich.console import Console

    from refseg.evaluation import PROTOCOLS, protocol_notes

    names = _chosen(arguments.all_protocols, arguments.protocol or [])
    for checkpoint in arguments.checkpoints:
        if not checkpoint.is_file():
            raise ConfigError(f"There is no checkpoint {checkpoint}.")
    seen = [checkpoint.resolve() for checkpoint in arguments.checkpoints]
    for place, checkpoint in enumerate(arguments.checkpoints):
        if checkpoint.resolve() in seen[:place]:
            raise ConfigError(f"{checkpoint} is given twice; name each checkpoint once.")
    labels = labels_of(arguments.checkpoints)
    words = [*arguments.handed_on, *(f"{OPTION}={name}" for name in arguments.packages)]
    if arguments.splits:
        words.append(f"--data.test_splits=[{','.join(arguments.splits)}]")
    console = Console()
    found: dict[str, Figures] = {}
    for checkpoint, label in zip(arguments.checkpoints, labels, strict=True):
        folder = _folder(checkpoint, label, arguments.output, len(labels) > 1)
        results = _evaluate(checkpoint, folder, names, words)
        if results is None:
            continue
        found[label] = {name: results[name] for name in names}
        _show(console, label if len(labels) > 1 else "", found[label])
        console.print(f"{'metrics:':<12}{folder / 'metrics.json'}", soft_wrap=True, highlight=False)
    if not found:
        return 2
    if len(found) > 1:
        _compare(console, found)
    console.print(protocol_notes(PROTOCOLS[name] for name in names))
    return 0 if len(found) == len(labels) else 1


def labels_of(checkpoints: Sequence[Path]) -> list[str]:
    """A different name for each checkpoint: that of its run, else its path.

    Example:
        >>> labels_of([Path("runs/a/checkpoints/best.ckpt"), Path("runs/b/checkpoints/best.ckpt")])
        ['a', 'b']
    """
    runs = [path.absolute().parent for path in checkpoints]
    names = [(run.parent if run.name == "checkpoints" else run).name for run in runs]
    return names if len(set(names)) == len(names) else [str(path) for path in checkpoints]


def _chosen(all_of_them: bool, named: list[str]) -> list[str]:
    from refseg.evaluation import PROTOCOLS

    for name in named:
        if name not in PROTOCOLS:
            raise ConfigError(f"Unknown protocol '{name}'; choose among {', '.join(PROTOCOLS)}.")
    if all_of_them:
        return list(PROTOCOLS)
    return list(dict.fromkeys(named)) or ["standard"]


def _folder(checkpoint: Path, label: str, output: Path | None, is_one_of_several: bool) -> Path:
    from refseg.training.run_folder import RunFolder

    if output is not None:
        return output / label.replace("/", "-").strip("-") if is_one_of_several else output
    return RunFolder.choose("evaluate", None, str(checkpoint), "").path


def _evaluate(
    checkpoint: Path, folder: Path, names: list[str], words: Sequence[str]
) -> Figures | None:
    """The figures by protocol; None where the evaluation failed, which has said why."""
    protocol = names[0] if len(names) == 1 else "all"
    command = [
        *(sys.executable, "-m", "refseg", "test", "--ckpt_path", str(checkpoint)),
        *(f"--output={folder}", f"--evaluation.protocol={protocol}", *words),
    ]
    print(f"evaluating {checkpoint} …", file=sys.stderr, flush=True)
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        return None
    results: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    figures: dict[str, dict[str, dict[str, float | None]]]
    figures = results.get("protocols", {results["protocol"]: results["metrics"]})
    return {
        name: {split: _with_nan(row) for split, row in splits.items()}
        for name, splits in figures.items()
    }


def _with_nan(row: Mapping[str, float | None]) -> dict[str, float]:
    """The figures of a split; those that are not defined are null in the file."""
    return {key: math.nan if value is None else value for key, value in row.items()}


def _show(console: "Console", label: str, figures: Figures) -> None:
    from refseg.evaluation import PROTOCOLS, protocol_table

    for split in next(iter(figures.values())):
        rows = {name: splits[split] for name, splits in figures.items()}
        title = f"{label}, {split}" if label else split
        console.print(protocol_table(rows, PROTOCOLS, title))


def _compare(console: "Console", found: dict[str, Figures]) -> None:
    """Overall IoU of each checkpoint under each protocol, in one table for each split."""
    from refseg.analysis.figure_texts import percent
    from refseg.evaluation.figure_table import FigureTable

    splits = dict.fromkeys(s for figures in found.values() for s in next(iter(figures.values())))
    for split in splits:
        names = next(iter(found.values()))
        table = FigureTable("", [*names], f"overall IoU in %, {split}")
        for label, figures in found.items():
            rows = [splits_of.get(split, {}) for splits_of in figures.values()]
            table.add_row(label, *(percent(row.get("overall_iou", math.nan)) for row in rows))
        console.print(table)
