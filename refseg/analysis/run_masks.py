"""What a run predicted for some expressions, and how it reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from refseg.analysis.true_masks import Mask, Pixels
from refseg.checkpoint import read_checkpoint
from refseg.checkpoint.config import config_in
from refseg.data.from_checkpoint import data_of
from refseg.errors import CheckpointError, ConfigError, DataError, PredictionError
from refseg.evaluation.results import CRF_RESULTS_FILE, RLE, Results
from refseg.inference.crf import CRFOptions
from refseg.inference.pipeline import Pipeline, load
from refseg.inference.word_by_word import Reading
from refseg.masks import decode
from refseg.types import RunLengths

_READS_BY_WORD = "MultimodalLSTM"
_KEEP = "`refseg test --ckpt_path CHECKPOINT --save_masks true` keeps the masks."


class RunMasks:
    """What a run predicted: the masks that it saved, else those that its checkpoint predicts.

    Args:
        results: of the run.
        device: on which the network computes.
    """

    def __init__(self, results: Results, device: str = "cpu") -> None:
        self.results, self.device = results, device
        self._pipeline: Pipeline | None = None
        self._no_pipeline: str | None = None
        self._undrawn: dict[str, int] = {}  # why -> how often
        self._differing = 0

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
    def after_crf(self) -> bool:
        """Whether the results are those after DenseCRF."""
        return self.results.path.name == CRF_RESULTS_FILE

    @property
    def config(self) -> Mapping[str, Any]:
        """The config of the evaluation, else that of the training; empty where there is none."""
        inside = self.results.summary.get("config")
        if isinstance(inside, dict):
            return inside
        if self.config_file is not None:
            return _mapping(self.config_file)
        try:
            found = read_checkpoint(self.checkpoint) if self.checkpoint else {}
            config = config_in(found, self.checkpoint) or {}
            if config:
                config["data"] = data_of(config, self.checkpoint)
        except CheckpointError:
            return {}
        return config

    @property
    def config_file(self) -> Path | None:
        """The file with the config of the training, where it lies beside or above the results."""
        folder = self.results.path.parent
        files = (folder / "config.yaml", folder.parent / "config.yaml")
        return next((path for path in files if path.is_file()), None)

    @property
    def pipeline(self) -> Pipeline | None:
        """The run's network; None where there is no checkpoint, or it cannot be read."""
        if self._pipeline is None and self._no_pipeline is None:
            if self.checkpoint is None:
                named = self.results.summary.get("checkpoint")
                where = f": {named}" if isinstance(named, str) else ""
                self._no_pipeline = f"the checkpoint is absent{where}"
                return None
            try:
                self._pipeline = load(self.checkpoint, self.device)
            except CheckpointError as error:
                self._no_pipeline = str(error).rstrip(".")
            except (RuntimeError, AssertionError) as error:  # torch knows no such device
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise ConfigError(
                    f"Expected a device that torch can compute on, got '{self.device}' ({reason}); "
                    "leave --device out to compute on the CPU."
                ) from None
        return self._pipeline

    def predicted(self, row: Mapping[str, Any], image: Pixels | None) -> Mask | None:
        """The predicted mask of an expression; None where it cannot be had.

        Args:
            row: of the results.
            image: of the expression, in its own size; None where it cannot be read.
        """
        if RLE.name in row:
            return self._saved(row)
        if image is None:
            return None
        if self.pipeline is None:
            self._not_drawn(str(self._no_pipeline))
            return None
        try:
            mask = self.pipeline.segment(image, row["expression"], self._crf()).mask
        except DataError:
            self._not_drawn("the model knows no word of the expression")
            return None
        except ConfigError as error:
            self._not_drawn(str(error).rstrip("."))
            return None
        except PredictionError:
            self._not_drawn("the network's answers are not numbers")
            return None
        if int(mask.sum()) != row["predicted_area"]:
            self._differing += 1
        return mask

    def _crf(self) -> CRFOptions | None:
        """How DenseCRF refined what was evaluated; None where it did not.

        Raises:
            ConfigError: it did, and nobody knows how.
        """
        if not self.after_crf:
            return None
        about = self.results.summary.get("crf")
        try:
            return CRFOptions(**about["options"])  # type: ignore[index]  # refused, if it is none
        except (TypeError, KeyError):
            raise ConfigError("summary.json does not tell the options of DenseCRF.") from None

    def _saved(self, row: Mapping[str, Any]) -> Mask | None:
        try:
            mask = decode(RunLengths(row["height"], row["width"], row[RLE.name] or b""))
        except DataError:
            self._not_drawn(f"the mask in {self.results.path} is damaged")
            return None
        return mask

    def _not_drawn(self, why: str) -> None:
        self._undrawn[why] = self._undrawn.get(why, 0) + 1

    def read(self, row: Mapping[str, Any], image: Pixels) -> Reading | None:
        """How the network reads an expression; None where it knows no word or fails.

        Args:
            row: of the results.
            image: of the expression, in its own size.
        """
        assert self.pipeline is not None
        try:
            return self.pipeline.read(image, row["expression"])
        except (DataError, PredictionError):
            return None

    def why_no_strips(self) -> str | None:
        """Why the run has no word-by-word strips; None where it has."""
        if self.results.summary.get("predictions"):
            return "Not shown: these are masks of another program, whose network is not known."
        model = self.results.summary.get("model")
        fusion = model.get("fusion") if isinstance(model, dict) else None
        if self.pipeline is not None:
            fusion = type(self.pipeline.segmenter.fusion).__name__
            if self.pipeline.segmenter.reads_word_by_word:
                return None
        elif fusion in (None, _READS_BY_WORD):
            return (
                f"Not shown: {self._no_pipeline}. Strips are drawn from the checkpoint that "
                "summary.json names, or from the one of that name in RUN/checkpoints."
            )
        return f"{fusion} reads the sentence at once, not word by word."

    def notes(self) -> list[str]:
        """What a reader should know of the predictions that are shown."""
        notes = [
            f"Predictions that are not drawn, as {why}: {count:,}. {_KEEP}"
            for why, count in self._undrawn.items()
        ]
        if self._differing:
            notes.append(
                f"Predictions were made again from {self.checkpoint}, and {self._differing:,} of "
                "them have not, to the pixel, the size of those that were evaluated. The figures "
                f"are those of the evaluation. {_KEEP}"
            )
        return notes


def _mapping(source: Path) -> Mapping[str, Any]:
    """What YAML says in a file; nothing where it is damaged."""
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
