"""Evaluating any model from Python, with the results that `refseg test` writes.

It stands here, beside what `test` shares with it: the writer of rows and the summary.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from refseg.data.datamodule import ReferringDataModule
from refseg.data.dataset import ReferringDataset
from refseg.data.loaders import make_loader
from refseg.data.references import References
from refseg.data.tokenizers import Tokenizer, WordTokenizer
from refseg.data.transforms import Transform
from refseg.errors import ConfigError, PredictionError
from refseg.evaluation.counting import count_by_protocols
from refseg.evaluation.measures import MeasureFile
from refseg.evaluation.predictions import Predictions, check_logits, predict
from refseg.evaluation.protocols import STANDARD
from refseg.evaluation.results import CRF_RESULTS_FILE, RESULTS_FILE, Results, read_results
from refseg.inference.pipeline import Pipeline
from refseg.inference.text_to_mask.base import TextToMaskModel
from refseg.models.segmenter import Segmenter
from refseg.progress import tracked
from refseg.training.evaluated_splits import EvaluatedSplit, evaluated_on, evaluated_splits
from refseg.training.module import ReferringSegmentation
from refseg.training.protocol_metrics import (
    Figures,
    ProtocolMetrics,
    protocols_named,
    write_protocol_metrics,
)
from refseg.training.result_rows import add_measures, write_rows
from refseg.training.run_summary import Evaluated, class_names, write_summary
from refseg.types import Batch, Output

Answer = Output | Predictions | Tensor | Sequence[Tensor | np.ndarray]
"""What a model gives for a batch: logits in network size (a tensor [expressions size size], or an
`Output`), or a boolean mask for each expression, in its image's own size."""

Model = ReferringSegmentation | Pipeline | Segmenter | nn.Module | Callable[[Batch], Answer]


_IMAGE_SIZE = 320  # of the square that functions see, where nobody says it; as in the papers


def evaluate(
    model: Model,
    data: ReferringDataModule | References,
    output: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    protocols: Sequence[str] = (STANDARD.name,),
    tokenizer: Tokenizer | None = None,
    transform: Transform | None = None,
    exact: bool = True,
    save_masks: bool = False,
    batch_size: int = 8,
    num_workers: int = 0,
    progress: bool = True,
) -> Results:
    """Evaluate a model on every expression of some splits, in the images' own sizes.

    The rows, the figures and the files are those of `refseg test`. What comes back can be given to
    `refseg.compare` and `refseg.report`, as can the folder.

    Args:
        model: of refseg: what `refseg.load` gives, a `ReferringSegmentation` or a `Segmenter`; or
            any function or module that takes a `Batch` (whose `image_paths`, `expressions` and
            `images` it may use) and gives logits in network size, or a boolean mask for each
            expression in its image's own size: masks of different sizes in one list.
        data: a data module, or references (`read_references(…).split("val")`). Of references alone,
            distractors are counted among the objects that they name.
        output: folder for `results.parquet`, `summary.json` and `metrics.json`; None: they are not
            kept.
        splits: to evaluate; None: those that the data module tests on, or all of the references.
        protocols: names of `PROTOCOLS`; the summary has their figures, under `protocols`. Masks
            count as the model gives them, logits by each protocol's own rule.
        tokenizer: from sentences to ids; None: that of `refseg.load`, else of the data module, else
            (for functions) one id per word.
        transform: fits images into the network's square; None: as for the tokenizer, for functions
            320 pixels.
        exact: let a model of refseg see each expression by itself, so that figures do not depend on
            `batch_size` (`exact_evaluation` of `refseg test`). Functions are given whole batches.
        save_masks: keep each prediction with its row.
        batch_size: images per batch.
        num_workers: processes that read images; 0: this one reads them.
        progress: say how far it is.

    Returns:
        The table with a row for each expression, the summary, and `figures` of each split.

    Raises:
        ConfigError: a network is to read references without a tokenizer and a transform, or there
            is no such protocol.
        DataError: an image cannot be read, or there is no such split.
        PredictionError: a logit is not a number, a mask has another size than its image, or the
            model gives something else.
    """
    chosen = evaluated_splits(data, splits)
    if tokenizer is None or transform is None:
        own = _inputs(model, data, chosen)
        tokenizer, transform = tokenizer or own[0], transform or own[1]
    metrics = ProtocolMetrics(protocols_named(protocols), chosen)
    with tempfile.TemporaryDirectory(prefix="refseg-evaluation-") as temporary:
        folder = Path(temporary) if output is None else Path(output)
        measures = MeasureFile(Path(temporary, "measures.arrow"))
        with _answering(model, exact) as answer:
            for number, split in enumerate(chosen):
                dataset = ReferringDataset(split.references, transform)
                loader = make_loader(dataset, tokenizer, batch_size, num_workers)
                what = f"Evaluating {split.name}"
                for batch in tracked(loader, what, total=len(loader), shown=progress):
                    found, logits = _predictions(answer, batch)
                    counts = count_by_protocols(batch, found.masks, metrics.protocols, logits)
                    metrics.add(number, batch, counts)
                    add_measures(measures, number, batch, counts[STANDARD], found, save_masks)
        measures.close()
        figures = metrics.figures()  # which makes sure that each expression was counted
        columns = {split.name: split.columns for split in chosen}
        write_rows(folder / RESULTS_FILE, [measures.path], columns, save_masks)
        (folder / CRF_RESULTS_FILE).unlink(missing_ok=True)  # of an earlier evaluation
        write_protocol_metrics(folder, figures, {})
        write_summary(folder, _evaluated(model, data, chosen, figures))
        return read_results(folder)


def _inputs(
    model: Model, data: ReferringDataModule | References, splits: Sequence[EvaluatedSplit]
) -> tuple[Tokenizer, Transform]:
    """How sentences and images reach the model, where nobody says it."""
    if isinstance(model, Pipeline):
        transform = Transform(
            model.image_size,
            fill=model.fill,
            resampling=model.resampling,
            geometry=model.geometry,
        )
        return model.tokenizer, transform
    if isinstance(data, ReferringDataModule) and not isinstance(model, TextToMaskModel):
        _ = data.vocab_size  # makes the vocabulary, if need be
        return data.tokenizer, data.transform
    if isinstance(model, ReferringSegmentation | Segmenter):
        raise ConfigError(
            f"Expected the tokenizer and the transform of the {type(model).__name__}, which "
            "references do not have; give them, or its data module as `data`, or a checkpoint by "
            "`refseg.load` as `model`."
        )
    tokenizer = WordTokenizer()
    tokenizer.build([text for one in splits for text in one.references.expressions.to_pylist()])
    return tokenizer, Transform(_IMAGE_SIZE)


@contextmanager
def _answering(model: Model, exact: bool) -> Iterator[Callable[[Batch], Answer]]:
    """The function that answers a batch, on the device of the model and in its `eval` mode."""
    if isinstance(model, Pipeline | ReferringSegmentation):
        model = model.segmenter
    if not isinstance(model, nn.Module):
        with torch.inference_mode():
            yield model
        return
    function = model.one_by_one if isinstance(model, Segmenter) and exact else model
    parameter = next(model.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield lambda batch: function(batch.to(device))
    finally:
        model.train(was_training)


def _predictions(
    answer: Callable[[Batch], Answer], batch: Batch
) -> tuple[Predictions, Output | None]:
    """The masks of a batch, and the logits that they were made of, where the model gave these."""
    given = answer(batch)
    if isinstance(given, Predictions):
        return given, None
    values = given.logits if isinstance(given, Output) else given
    if isinstance(values, Tensor) and values.is_floating_point():
        expected = (len(batch), *batch.size)
        if values.shape != expected:
            raise PredictionError(
                f"Expected logits [expressions height width] of {expected}, in network size, got "
                f"{tuple(values.shape)}; for masks in the images' own sizes give booleans."
            )
        output = given if isinstance(given, Output) else Output(values)
        logits = output.segmentation()
        check_logits(batch, logits)
        return predict(batch, logits, STANDARD.rule), output
    if not isinstance(given, Tensor | Sequence):
        raise PredictionError(
            "Expected logits, or a list with a boolean mask for each expression, from the model, "
            f"got {type(given).__name__}."
        )
    masks = [torch.as_tensor(mask).cpu() for mask in given]
    for mask in masks:
        if mask.dtype != torch.bool:
            raise PredictionError(
                f"Expected boolean masks, or one tensor of logits, from the model, got a mask of "
                f"{mask.dtype}; compare probabilities with 0.5, or labels with 0, first."
            )
    unknown = torch.full((len(masks),), torch.nan, dtype=torch.float64)  # the scores
    return Predictions(masks, unknown), None


def _evaluated(
    model: Model,
    data: ReferringDataModule | References,
    splits: Sequence[EvaluatedSplit],
    figures: Figures,
) -> Evaluated:
    network = model.segmenter if isinstance(model, Pipeline | ReferringSegmentation) else model
    names = class_names(network) if isinstance(network, Segmenter) else {"model": _name(model)}
    about = evaluated_on(data, splits, names, figures)
    if isinstance(model, ReferringSegmentation) and isinstance(data, ReferringDataModule):
        known = data.trained_on_evaluation_images  # it belongs to the model
        about = replace(about, trained_on_evaluation_images=known)
    return about


def _name(model: Model) -> str:
    return getattr(model, "__name__", type(model).__name__)
