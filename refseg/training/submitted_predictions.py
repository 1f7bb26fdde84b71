"""Evaluating the masks that any program wrote, with the results that `refseg test` writes."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers.mask_files import read_mask_file
from refseg.data.references import References
from refseg.errors import DataError
from refseg.evaluation.boxes import box_figures, box_iou, extent
from refseg.evaluation.counting import count_by_protocols, decoded_truths
from refseg.evaluation.matching import Matches, SplitRows
from refseg.evaluation.measures import MeasureFile
from refseg.evaluation.predictions import Predictions
from refseg.evaluation.protocols import STANDARD
from refseg.evaluation.results import CRF_RESULTS_FILE, RESULTS_FILE, Results, read_results
from refseg.evaluation.submitted import Prediction, PredictionFiles
from refseg.geometry import Geometry
from refseg.progress import tracked
from refseg.training.evaluated_splits import EvaluatedSplit, evaluated_on, evaluated_splits
from refseg.training.protocol_metrics import (
    ProtocolMetrics,
    protocols_named,
    write_protocol_metrics,
)
from refseg.training.result_rows import add_measures, write_rows
from refseg.training.run_summary import write_summary
from refseg.types import Batch

_ROWS = 16  # whose masks are held in memory at a time
_COLUMNS = ("expression_id", "image_path", "expression", "raw")


def evaluate_predictions(
    predictions: str | Path,
    data: ReferringDataModule | References,
    output: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    protocols: Sequence[str] = (STANDARD.name,),
    allow_missing: bool = False,
    progress: bool = True,
) -> Results:
    """Evaluate masks that any program predicted, on every expression, in the images' own sizes.

    The rows, the figures and the files are those of `refseg test`; for masks that `refseg predict`
    wrote, pixel by pixel. What comes back can be given to `refseg.compare` and `refseg.report`, as
    can the folder.

    Other protocols count these masks in their manner (what an empty union is worth, which sentences
    count, thresholds, a square in which masks are compared). What they do to a network's answer
    before it is a mask cannot be done again: the dilation of `rmi` and `text_objseg`, the threshold
    of `cris`, and masks that a model withdraws (`rela`).

    Boxes are compared, too, for grounding models: the extent of the mask, or the box that a line
    gives, with the extent of the true mask. `summary["predictions"]["boxes"]` has their mean IoU
    and precision@0.5, by split.

    Args:
        predictions: a file with a line of JSON for each expression (`PredictionFiles` says what is
            in it), or the folder that `refseg predict` wrote.
        data: a data module, or references (`read_references(…)`). Of references alone, distractors
            are counted among the objects that they name.
        output: folder for `results.parquet`, `summary.json` and `metrics.json`; None: they are not
            kept.
        splits: to evaluate; None: those that are predicted, of all but the training splits of a
            data module, or of all references.
        protocols: names of `PROTOCOLS`; their figures stand in the summary, under `protocols`.
        allow_missing: count expressions without a prediction as empty masks. The summary says how
            many there are.
        progress: say how far it is.

    Returns:
        The table with a row for each expression and its mask, the summary, and `figures` of each
        split.

    Raises:
        ConfigError: there is no such protocol.
        DataError: an expression has no prediction or several, a prediction is for none, or is
            damaged, or its mask has another size than its image; names the file and the line.
    """
    path = Path(predictions)
    chosen_protocols = protocols_named(protocols)
    files = PredictionFiles(path, read_mask_file)
    candidates = evaluated_splits(data, splits)
    matches = Matches(files, _rows(data, candidates))
    chosen = [s for s in candidates if splits is not None or matches.predicted(s.name)]
    if not chosen:
        raise DataError(
            f"Expected predictions for {', '.join(split.name for split in candidates)}, got none "
            f"among the {len(matches):,} lines in {path}; name the splits with --splits."
        )
    names = [split.name for split in chosen]
    matches.check(names, allow_missing)
    metrics = ProtocolMetrics(chosen_protocols, chosen)
    with tempfile.TemporaryDirectory(prefix="refseg-evaluation-") as temporary:
        folder = Path(temporary) if output is None else Path(output)
        measures = MeasureFile(Path(temporary, "measures.arrow"))
        filled = 0
        box_ious: dict[str, list[float]] = {name: [] for name in names}
        for number, split in enumerate(chosen):
            pieces = list(_pieces(split.references))
            for rows in tracked(pieces, f"Evaluating {split.name}", shown=progress):
                found = [_predicted(files, matches, split, row) for row in rows.tolist()]
                box_ious[split.name] += _count(
                    number, _batch(split.references, rows), found, metrics, measures
                )
                filled += sum(one.is_box for one in found)
        measures.close()
        figures = metrics.figures()
        columns = {split.name: split.columns for split in chosen}
        write_rows(folder / RESULTS_FILE, [measures.path], columns, save_masks=True)
        (folder / CRF_RESULTS_FILE).unlink(missing_ok=True)  # of an earlier evaluation
        about = {
            "path": str(path.absolute()),
            "missing": {name: len(matches.missing(name)) for name in names},
            "boxes_without_mask": filled,
            "boxes": {name: box_figures(ious) for name, ious in box_ious.items()},
        }
        write_protocol_metrics(folder, figures, {"predictions": about})
        evaluated = evaluated_on(data, chosen, {"predictions": path.name}, figures)
        write_summary(folder, replace(evaluated, predictions=about))
        return read_results(folder)


def _count(
    loader: int,
    batch: Batch,
    found: Sequence[Prediction],
    metrics: ProtocolMetrics,
    measures: MeasureFile,
) -> list[float]:
    """Count the predictions of a batch in all ways, and keep the counts and the masks.

    Returns:
        The IoU of the boxes: of the one that was given, else of the extent of the mask.
    """
    masks = [torch.from_numpy(one.mask) for one in found]
    scores = torch.tensor([one.score for one in found], dtype=torch.float64)
    truths = decoded_truths(batch)
    counts = count_by_protocols(batch, masks, metrics.protocols, truths=truths)
    metrics.add(loader, batch, counts)
    predictions = Predictions(masks, scores)
    add_measures(measures, loader, batch, counts[STANDARD], predictions, save_masks=True)
    boxes = {truth: extent(mask) for truth, mask in truths.items()}
    return [
        box_iou(extent(one.mask) if one.box is None else one.box, boxes[truth])
        for one, truth in zip(found, batch.truths, strict=True)
    ]


def _rows(
    data: ReferringDataModule | References, candidates: Sequence[EvaluatedSplit]
) -> list[SplitRows]:
    """All splits of the data, also those that are not evaluated: their predictions are left out."""
    known = {split.name: split.references for split in candidates}
    if isinstance(data, References):
        known |= {name: data.split(name) for name in data.splits if name not in known}
    else:
        for name in data.mixture.splits:
            if name not in known:
                (known[name],) = data.mixture.rows([name])
    return [
        SplitRows(name, references.source, references.table.select(_COLUMNS))
        for name, references in known.items()
    ]


def _pieces(references: References) -> Iterator[np.ndarray]:
    """The rows of a few expressions at a time, all of one image."""
    rows, offsets = references.images()
    for start, end in pairwise(offsets):
        for first in range(start, end, _ROWS):
            yield rows[first : min(first + _ROWS, end)]


def _batch(references: References, rows: np.ndarray) -> Batch:
    """A batch of what is counted: the truths of some expressions of one image, without its pixels.

    Args:
        references: of a split.
        rows: at least one; all of the same image.
    """
    chosen = references.take(rows, ["image_path", "expression", "expression_id"])
    truths = tuple(references.truth(int(row)) for row in rows)
    nothing = torch.zeros((len(rows), 0), dtype=torch.int64)
    return Batch(
        images=None,
        tokens=nothing,
        token_mask=nothing.bool(),
        image_index=torch.zeros(len(rows), dtype=torch.int64),
        masks=None,
        expressions=tuple(chosen["expression"].to_pylist()),
        expression_ids=tuple(chosen["expression_id"].to_pylist()),
        truths=truths,
        geometries=(Geometry.squash(truths[0].height, truths[0].width, 1),),
        image_paths=(chosen["image_path"][0].as_py(),),
    )


def _predicted(
    files: PredictionFiles, matches: Matches, split: EvaluatedSplit, row: int
) -> Prediction:
    truth = split.references.truth(row)
    place = matches.place(split.name, row)
    if place is None:
        return Prediction(np.zeros((truth.height, truth.width), np.bool_), np.nan)
    return files.prediction(place, truth.height, truth.width)
