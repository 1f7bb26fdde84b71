"""The masks of some expressions of an evaluation: what is true, and what was predicted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import yaml
from jaxtyping import Bool, UInt8

from refseg.checkpoint import read_checkpoint
from refseg.data import DataSource, ShapesOptions, decode, read_image
from refseg.data.masks import area
from refseg.data.mixtures import Mixture, read_mixture, sources_of
from refseg.data.references import References
from refseg.data.streaming.source import open_stream
from refseg.errors import CheckpointError, DataError, RefsegError
from refseg.evaluation.results import RLE, Results
from refseg.pipeline import Pipeline, load
from refseg.reading import Reading
from refseg.types import RunLengths

Mask = Bool[np.ndarray, "height width"]
Pixels = UInt8[np.ndarray, "height width 3"]

_READS_BY_WORD = "MultimodalLSTM"


class Truths(NamedTuple):
    """The true masks of some expressions.

    Args:
        masks: one for each; None where it is not found.
        note: why any is missing; None where all are there.
    """

    masks: Sequence[Mask | None]
    note: str | None


def true_masks(rows: pa.Table, config: Mapping[str, Any], root: Path | None = None) -> Truths:
    """Look up the truth of some expressions in the data that they come from.

    A mask that is not the one that was evaluated (another area, another sentence) is not shown.

    Args:
        rows: of results.
        config: of the run; its part `data` says where the data lie.
        root: where they lie now, if that is another folder.
    """
    missing: list[Mask | None] = [None] * rows.num_rows
    try:
        mixture = _mixture(config, root)
    except RefsegError as error:
        return Truths(missing, f"The true masks are not shown: {error}")
    found = {part.title: part.references for part in mixture.parts}
    masks = [_truth(row, found.get(row["source"])) for row in rows.to_pylist()]
    lacking = sum(mask is None for mask in masks)
    if not lacking:
        return Truths(masks, None)
    return Truths(
        masks,
        f"{lacking:,} of {len(masks):,} true masks are not shown: the data of the run's config "
        f"({mixture.title}) have other ones, or none, for these expressions. `--root DIR` names "
        "the folder of the data that were evaluated.",
    )


def _mixture(config: Mapping[str, Any], root: Path | None) -> Mixture:
    try:
        data = dict(config["data"])
        given = data.get("dataset", "shapes")
        entries = [given] if isinstance(given, str) else given
        sources = sources_of([_source(entry) for entry in entries], data.get("split_by"))
        if data.get("stream") and root is None:
            return open_stream(data["stream"], sources[0])
        folder = root or (Path(data["root"]) if data.get("root") else None)
        shapes = ShapesOptions(**data.get("shapes") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the run's config does not say where its data are ({error!r}); evaluate the run again "
            "with `refseg test`."
        ) from None
    return read_mixture(sources, folder, "skip", shapes)


def _source(entry: str | Mapping[str, Any]) -> str | DataSource:
    if isinstance(entry, str):
        return entry
    root = entry.get("root")
    return DataSource(**{**entry, "root": None if root is None else Path(root)})


def _truth(row: Mapping[str, Any], references: References | None) -> Mask | None:
    if references is None:
        return None
    ids = references.table["expression_id"].to_numpy()
    for place in np.flatnonzero(ids == row["expression_id"]).tolist():
        truth = references.truth(place)
        same_size = (truth.height, truth.width) == (row["height"], row["width"])
        same_words = references.expressions[place].as_py() == row["expression"]
        if same_size and same_words and area(truth) == row["area"]:
            return decode(truth)
    return None


class RunMasks:
    """What a run predicted, from the masks that it saved, else from its checkpoint.

    Args:
        results: of the run.
        device: on which the network computes.
    """

    def __init__(self, results: Results, device: str = "cpu") -> None:
        self.results, self.device = results, device
        self.has_masks = RLE.name in results.table.column_names
        self._pipeline: Pipeline | None = None
        self._problem: str | None = None
        self._differing = 0
        self._refused = 0

    @property
    def checkpoint(self) -> Path | None:
        """Where the run's checkpoint is now; None where it is gone."""
        named = self.results.summary.get("checkpoint")
        if not isinstance(named, str):
            return None
        folder = self.results.path.parent
        moved = [above / "checkpoints" / Path(named).name for above in (folder, folder.parent)]
        return next((path for path in (Path(named), *moved) if path.is_file()), None)

    @property
    def config(self) -> Mapping[str, Any]:
        """The config of the evaluation, else that of the training; empty where there is none."""
        inside = self.results.summary.get("config")
        if isinstance(inside, dict):
            return inside
        if self.config_file is not None:
            return _mapping(self.config_file.read_text(encoding="utf-8", errors="replace"))
        try:
            found = read_checkpoint(self.checkpoint) if self.checkpoint else {}
        except CheckpointError:
            return {}
        return _mapping(str(found.get("refseg", {}).get("config") or ""))

    @property
    def config_file(self) -> Path | None:
        """The file with the config of the training, where it lies beside or above the results."""
        folder = self.results.path.parent
        files = (folder / "config.yaml", folder.parent / "config.yaml")
        return next((path for path in files if path.is_file()), None)

    def predicted(self, row: Mapping[str, Any], image: Pixels | None) -> Mask | None:
        """The predicted mask of an expression; None where it cannot be had.

        Args:
            row: of the results.
            image: of the expression, in its own size; None where it cannot be read.
        """
        saved = row.get(RLE.name)
        if saved is not None:
            try:
                return decode(RunLengths(row["height"], row["width"], saved))
            except DataError as error:
                self._problem = f"A mask in {self.results.path} is damaged: {error}"
                return None
        pipeline = self.pipeline
        if pipeline is None or image is None:
            return None
        try:
            mask = pipeline.segment(image, row["expression"]).mask
        except DataError:  # no word that the model knows
            self._refused += 1
            return None
        if int(mask.sum()) != row["predicted_area"]:
            self._differing += 1
        return mask

    @property
    def pipeline(self) -> Pipeline | None:
        """The run's network; None where there is no checkpoint."""
        if self._pipeline is None and self._problem is None:
            if self.checkpoint is None:
                named = self.results.summary.get("checkpoint") or "named in its summary.json"
                self._problem = f"the checkpoint is absent ({named})"
                return None
            try:
                self._pipeline = load(self.checkpoint, self.device)
            except CheckpointError as error:
                self._problem = str(error)
        return self._pipeline

    def read(self, row: Mapping[str, Any], image: Pixels) -> Reading | None:
        """How the network reads an expression; None where it knows no word of it.

        Args:
            row: of the results.
            image: of the expression, in its own size.
        """
        assert self.pipeline is not None
        try:
            return self.pipeline.read(image, row["expression"])
        except DataError:
            return None

    def why_no_strips(self) -> str | None:
        """Why the run has no word-by-word strips; None where it has."""
        model = self.results.summary.get("model")
        fusion = model.get("fusion") if isinstance(model, dict) else None
        if self.pipeline is None:
            if fusion not in (None, _READS_BY_WORD):
                return f"{fusion} reads the sentence at once, not word by word."
            return f"No word-by-word strips: {self._problem}."
        if not self.pipeline.segmenter.reads_word_by_word:
            name = type(self.pipeline.segmenter.fusion).__name__
            return f"{name} reads the sentence at once, not word by word."
        return None

    def notes(self) -> list[str]:
        """What a reader should know of the predictions that are shown."""
        notes = []
        if self._problem is not None and not self.has_masks:
            notes.append(
                f"Predictions are not drawn: {self._problem}. Write them with `refseg test "
                "--ckpt_path CHECKPOINT --save_masks true`."
            )
        elif self._problem is not None and self._pipeline is None and self.has_masks:
            notes += [self._problem] if self._problem.startswith("A mask") else []
        if self._differing:
            notes.append(
                f"{self._differing:,} predictions were made again from {self.checkpoint}, and are "
                "not, to the pixel, those that were evaluated; figures are those of the "
                "evaluation. `refseg test --save_masks true` keeps the masks."
            )
        if self._refused:
            notes.append(
                f"{self._refused:,} predictions are not drawn: the model knows no word of these "
                "expressions. `refseg test --save_masks true` keeps the masks."
            )
        return notes


def image_of(row: Mapping[str, Any]) -> Pixels | None:
    """The image of an expression in its own size; None where it cannot be read.

    Args:
        row: of the results.
    """
    try:
        image = read_image(row["image_path"])
    except DataError:
        return None
    return image if image.shape[:2] == (row["height"], row["width"]) else None


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
