"""Options that only some verbs of the trainer have: DenseCRF, and how a model reads."""

from pathlib import Path

from jsonargparse import ActionYesNo, Namespace
from lightning.pytorch import Callback
from lightning.pytorch.cli import LightningArgumentParser

from refseg.inference.crf import CRFOptions
from refseg.inference.crf_processes import RefinementQueue
from refseg.training.callbacks import PredictionWriter
from refseg.training.callbacks.crf import CRFEvaluation
from refseg.training.callbacks.results import ResultsWriter
from refseg.training.callbacks.word_curves import WordCurve
from refseg.training.run_folder import VALIDATION

EVALUATING = ("validate", "test")
"""The verbs that leave results."""

_CRF_VERBS = (*EVALUATING, "predict")


def add_verb_options(parser: LightningArgumentParser, verb: str) -> None:
    """Add to a verb's parser what only this verb understands.

    Args:
        parser: of the verb.
        verb: of the trainer.
    """
    if verb == "fit":
        parser.add_argument(
            "--overwrite",
            action=ActionYesNo,
            nargs="?",
            default=False,
            help="Start over in a folder that holds a run: what that run left is removed.",
        )
    if verb in _CRF_VERBS:
        done = "write the masks" if verb == "predict" else "report a second row for each split"
        parser.add_argument(
            "--crf",
            action=ActionYesNo,
            nargs="?",
            default=False,
            help=f"DenseCRF: {done} after it has refined the predictions.",
        )
        parser.add_argument(
            "--crf_jobs",
            type=int | None,
            default=None,
            help="Processes for DenseCRF; null: one for each processor core, 0: this one.",
        )
        parser.add_class_arguments(CRFOptions, "crf_options")
    if verb in EVALUATING:
        parser.add_argument(
            "--save_masks",
            action=ActionYesNo,
            nargs="?",
            default=False,
            help="Write each predicted mask into results.parquet, in COCO's run lengths.",
        )
    if verb == "test":
        parser.add_argument(
            "--words",
            action=ActionYesNo,
            nargs="?",
            default=False,
            help="Report how overall IoU grows with the share of the words that are read, as a "
            "table and a picture (models that read word by word).",
        )


def verb_callbacks(verb: str, config: Namespace, folder: Path) -> list[Callback]:
    """The callbacks that a verb has, and those that these options ask for.

    Args:
        verb: of the trainer.
        config: of the verb.
        folder: of the run.

    Raises:
        ConfigError: DenseCRF is asked for, but pydensecrf2 is not installed.
    """
    queue = None
    if config.get("crf"):
        queue = RefinementQueue(CRFOptions(**config.crf_options.as_dict()), config.crf_jobs)
    callbacks: list[Callback] = [PredictionWriter(folder, queue)]
    if config.get("words"):
        callbacks.append(WordCurve())
    if verb == "fit":
        callbacks.append(ResultsWriter(folder / VALIDATION))
    if "save_masks" in config:
        callbacks.append(ResultsWriter(folder, config.save_masks))
        if queue is not None:
            callbacks.append(CRFEvaluation(queue, folder, config.save_masks))
    return callbacks
