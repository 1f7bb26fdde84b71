"""`refseg evaluate --predictions`: the masks of any program on any data set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from refseg.cli.evaluate import show
from refseg.errors import ConfigError


def evaluate_file(
    predictions: Path,
    options: Sequence[str],
    output: Path | None,
    splits: Sequence[str] | None,
    protocols: Sequence[str],
    allow_missing: bool,
) -> int:
    """Evaluate predictions, and print what comes out.

    Args:
        predictions: a file with a line of JSON for each, or the folder that `refseg predict` wrote.
        options: which name the data.
        output: folder for the figures; None: beside the predictions.
        splits: to evaluate; None: those that are predicted.
        protocols: by which is counted.
        allow_missing: count expressions without a prediction as empty masks.

    Returns:
        The exit code.

    Raises:
        ConfigError: the options do not name data, or are for a model.
        DataError: the predictions do not fit the data.
    """
    from rich.console import Console

    from refseg.cli.trainer.data import data_module
    from refseg.evaluation import PROTOCOLS, protocol_notes
    from refseg.evaluation.boxes import BOX_PRECISION, MEAN_BOX_IOU
    from refseg.evaluation.figures import empty_splits
    from refseg.evaluation.results import METRICS_FILE
    from refseg.evaluation.tables import empty_text, missing_text
    from refseg.training.submitted_predictions import evaluate_predictions

    for word in options:
        if word.startswith(("--trainer.", "--model.")):
            raise ConfigError(f"Masks need no model: leave {word.partition('=')[0]} out.")
    data = data_module(options, _config_of_run(predictions))
    folder = _folder(predictions) if output is None else output
    found = evaluate_predictions(
        predictions,
        data,
        folder,
        splits=splits,
        protocols=protocols,
        allow_missing=allow_missing,
    )
    console = Console()
    show(console, "", {name: _numbers(found.summary["protocols"][name]) for name in protocols})
    about = found.summary["predictions"]
    for split, figures in about["boxes"].items():
        mean, precision = (100 * figures[name] for name in (MEAN_BOX_IOU, BOX_PRECISION))
        text = f"boxes, {split}: P@0.5 {precision:.2f}, mean IoU {mean:.2f} (in %)"
        console.print(text, soft_wrap=True, highlight=False)
    for note in _notes(about["boxes_without_mask"], missing_text(about["missing"]), protocols):
        console.print(note, soft_wrap=True, highlight=False)
    empty = empty_splits(found.table)
    if empty:
        console.print(f"Note: {empty_text(empty)}", soft_wrap=True, highlight=False)
    for name, path in (("metrics", folder / METRICS_FILE), ("results", found.path)):
        console.print(f"{name + ':':<12}{path}", soft_wrap=True, highlight=False)
    console.print(protocol_notes(PROTOCOLS[name] for name in protocols))
    return 0


def _config_of_run(predictions: Path) -> Path | None:
    """The config of the run in which `refseg predict` left its list; None for other predictions."""
    is_list = predictions.is_file() and fnmatch(predictions.name, "predictions*.jsonl")
    folder = predictions.parent if is_list else predictions
    if not (is_list or predictions.is_dir()):
        return None
    files = (folder / "config.yaml", folder.absolute().parent / "config.yaml")
    return next((path for path in files if path.is_file()), None)


def _folder(predictions: Path) -> Path:
    """Where the figures go, if nobody says it: beside the predictions."""
    if predictions.is_dir():
        return predictions / "evaluate"
    return predictions.with_name(f"{predictions.stem}-evaluated")


def _notes(boxes: int, missing: str, protocols: Sequence[str]) -> Iterator[str]:
    if missing:
        yield f"Note: {missing}"
    if boxes:
        yield f"Note: {boxes:,} predictions are boxes without a mask, and count as filled boxes."
    if set(protocols) - {"standard"}:
        yield (
            "Note: masks are counted as they are; what a protocol does to logits and probabilities "
            "before (thresholds, dilation) cannot be done again."
        )


def _numbers(figures: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """Figures as JSON has them, with NaN for those that are not defined."""
    return {
        split: {name: math.nan if value is None else value for name, value in row.items()}
        for split, row in figures.items()
    }
