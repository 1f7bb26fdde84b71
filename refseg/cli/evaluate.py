"""`refseg evaluate`: what the same predictions are worth under several protocols."""

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.checkpoint.packages import OPTION
from refseg.cli.parsing.argument_types import Folder, Option, Packages
from refseg.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

Figures = dict[str, dict[str, dict[str, float]]]  # protocol -> split -> figure -> value
_Handed = Annotated[Sequence[str], Option(rest=("--data", "--trainer.", "--model.", "--config"))]


def evaluate(
    checkpoints: Annotated[Sequence[Path], Option(metavar="CHECKPOINT")] = (),
    /,
    *,
    predictions: Annotated[Path | None, Option(metavar="FILE")] = None,
    allow_missing: bool = False,
    all_protocols: bool = False,
    protocol: Annotated[Sequence[str], Option(metavar="NAME")] = (),
    splits: Sequence[str] | None = None,
    output: Folder | None = None,
    sam: str | None = None,
    device: str | None = None,
    packages: Packages = (),
    options: _Handed = (),
) -> int:
    r"""Evaluate checkpoints, or masks of any program, as this and other codes would count them.

    Checkpoints are evaluated as by `refseg test`. The same predictions are counted in all these
    ways: one forward pass, one table. A checkpoint that cannot be evaluated does not keep the
    others from it; the exit code is then 1.

    A text-to-mask model of transformers (CLIPSeg, SAM 3, Grounding DINO) is evaluated in the same
    way, on the data that --data names, and leaves the same files with its masks.

    With --predictions, masks that any program wrote are evaluated in place of checkpoints, each
    expression exactly once: a file with a line of JSON for each, as in the examples, or the folder
    that `refseg predict` wrote. A line has the expression_id, or image and expression; rle (COCO's
    run lengths) or mask (a PNG beside the list; null: nothing is there); and may have score and
    box, [left, top, width, height].

    Args:
        checkpoints: what `refseg fit` wrote, or shared models, ours or those of transformers (a
            folder, or OWNER/NAME, perhaps with @REVISION behind it); default: that of the newest
            finished run in runs/
        predictions: masks to evaluate in place of checkpoints
        allow_missing: count expressions without a prediction as empty masks
        all_protocols: count in all known ways
        protocol: count in these ways; default: standard
        splits: default: all that are not trained on; of predictions, those of them that have any
        output: folder for the figures; default: `evaluate` in each run, or beside the predictions
        sam: the SAM that makes masks of the boxes of Grounding DINO, by its name or as a folder;
            default: facebook/sam-vit-huge
        device: where to compute a model of transformers: cpu, cuda, …; default: a GPU if there is
            one
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated
        options: those of `refseg test` that begin with --data, --trainer. or --model., and --config

    Examples:
        refseg evaluate RUN/checkpoints/best.ckpt --all_protocols
        refseg evaluate RMI/checkpoints/best.ckpt LSTM/checkpoints/best.ckpt --splits val
        refseg evaluate best.ckpt --protocol lavt cris --data.root DIR

        refseg evaluate CIDAS/clipseg-rd64-refined --data.root photos --data.dataset pets

        refseg predict --checkpoint best.ckpt --output OURS && refseg evaluate --predictions OURS
        refseg evaluate --predictions mine.jsonl --data.root DIR --data.dataset refcoco \
          --data.split_by unc --splits val --output MINE
        refseg compare MINE RUN

        where mine.jsonl has lines such as
        {"expression_id": 7, "rle": {"size": [480, 640], "counts": "Zk0…"}, "score": 0.9}
        {"image": "COCO_train2014_000000000009.jpg", "expression": "left bowl", "mask": "9.png"}
        {"expression_id": 8, "mask": null}
    """
    from rich.console import Console

    from refseg.checkpoint.hub import hub_name
    from refseg.cli.newest_run import default_checkpoint
    from refseg.cli.text_to_mask import NOTE, evaluate_model
    from refseg.evaluation import PROTOCOLS, protocol_notes
    from refseg.inference.loading import model_type

    names = _chosen(all_protocols, protocol)
    if predictions is not None:
        from refseg.cli.predictions import evaluate_file

        if checkpoints:
            raise ConfigError("Expected checkpoints or --predictions, got both; leave one out.")
        return evaluate_file(predictions, options, output, splits, names, allow_missing)
    checkpoints = checkpoints or [default_checkpoint()]
    for checkpoint in checkpoints:
        if not checkpoint.exists() and hub_name(str(checkpoint)) is None:
            raise ConfigError(f"There is no checkpoint {checkpoint}.")
    seen = [checkpoint.resolve() for checkpoint in checkpoints]
    for place, checkpoint in enumerate(checkpoints):
        if checkpoint.resolve() in seen[:place]:
            raise ConfigError(f"{checkpoint} is given twice; name each checkpoint once.")
    labels = labels_of(checkpoints)
    foreign = [one for one in checkpoints if model_type(str(one)) is not None]
    if not foreign and (sam or device):
        raise ConfigError(
            "--sam and --device are for models of transformers; checkpoints of refseg take "
            "--trainer.accelerator."
        )
    words = [*options, *(f"{OPTION}={name}" for name in packages)]
    if splits:
        words.append(f"--data.test_splits=[{','.join(splits)}]")
    console = Console()
    found: dict[str, Figures] = {}
    for checkpoint, label in zip(checkpoints, labels, strict=True):
        folder = _folder(checkpoint, label, output, len(labels) > 1)
        if checkpoint in foreign:
            model = (str(checkpoint), options, folder, splits, names, sam, device)
            results = _attempt(checkpoint, partial(evaluate_model, *model))
        else:
            results = _attempt(checkpoint, partial(_tested, checkpoint, folder, names, words))
        if results is None:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
            continue
        found[label] = {name: results[name] for name in names}
        show(console, label if len(labels) > 1 else "", found[label])
        console.print(f"{'metrics:':<12}{folder / 'metrics.json'}", soft_wrap=True, highlight=False)
    if not found:
        return 2
    if len(found) > 1:
        _compare(console, found)
    if foreign and set(names) - {"standard"}:
        console.print(NOTE, soft_wrap=True, highlight=False)
    console.print(protocol_notes(PROTOCOLS[name] for name in names))
    return 0 if len(found) == len(labels) else 1


def labels_of(checkpoints: Sequence[Path]) -> list[str]:
    """A different name for each checkpoint: its run's, or its own if it is shared; else its path.

    Example:
        >>> labels_of([Path("runs/a/checkpoints/best.ckpt"), Path("runs/b/checkpoints/best.ckpt")])
        ['a', 'b']
        >>> labels_of([Path("CIDAS/clipseg-rd64-refined")])
        ['clipseg-rd64-refined']
    """
    names = [_label(path) for path in checkpoints]
    return names if len(set(names)) == len(names) else [str(path) for path in checkpoints]


def _label(path: Path) -> str:
    from refseg.checkpoint.hub import hub_name

    if path.is_dir() or hub_name(str(path)) is not None:
        return path.absolute().name
    run = path.absolute().parent
    return (run.parent if run.name == "checkpoints" else run).name


def _chosen(all_of_them: bool, named: Sequence[str]) -> list[str]:
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
    chosen = RunFolder.choose("evaluate", None, str(checkpoint), "").path
    RunFolder.forget()  # the next checkpoint has a folder of its own
    return chosen


def _tested(checkpoint: Path, folder: Path, names: Sequence[str], words: Sequence[str]) -> Figures:
    from refseg.cli.trainer.run import test_figures

    protocol = names[0] if len(names) == 1 else "all"
    given = ["--ckpt_path", str(checkpoint), f"--output={folder}"]
    return test_figures([*given, f"--evaluation.protocol={protocol}", *words])


def _attempt(checkpoint: Path, evaluated: Callable[[], Figures]) -> Figures | None:
    """The figures by protocol; None where the evaluation failed, of which it is said why."""
    from refseg.cli.messages import tell
    from refseg.cli.trainer.distributed import TOLD

    print(f"evaluating {checkpoint} …", file=sys.stderr, flush=True)
    try:
        return evaluated()
    except BrokenPipeError:  # who reads our output has gone
        raise
    except Exception as error:  # of any kind: the other checkpoints can do without this one
        tell(error)
    except SystemExit as ending:
        if ending.code != TOLD:  # not another process of this evaluation: we are asked to end
            raise
    return None


def show(console: "Console", label: str, figures: Figures) -> None:
    """Print the figures of each split, a row for each protocol.

    Args:
        console: where to print.
        label: of the checkpoint; an empty text where there is one only.
        figures: by protocol and split.
    """
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
